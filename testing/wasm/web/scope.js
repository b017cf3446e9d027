// What checks do behind the store's back, in a page as in a worker.
const opened = (name) => new Promise((ok, no) => {
  const request = indexedDB.open(name);
  request.onsuccess = () => ok(request.result);
  request.onerror = () => no(request.error);
});
const done = (request) => new Promise((ok, no) => { request.onsuccess = () => ok(request.result); request.onerror = () => no(request.error); });
const within = async (name, mode, work) => {
  const db = await opened(name);
  try {
    const transaction = db.transaction([...db.objectStoreNames], mode);
    const ended = new Promise((ok, no) => { transaction.oncomplete = ok; transaction.onabort = () => no(transaction.error); });
    const result = await work(transaction);
    await ended;
    return result;
  } finally { db.close(); }
};
// Bytes stay as they are, numbers and names become text; of a key, whether it can be taken away.
const flat = (value) => {
  const text = (words) => new TextEncoder().encode(words + '\n');
  if (value instanceof ArrayBuffer) return [new Uint8Array(value)];
  if (value instanceof Uint8Array) return [value];
  if (value instanceof CryptoKey) return [text(`CryptoKey ${value.extractable}`)];
  if (value && typeof value === 'object') return Object.entries(value).flatMap(([name, inner]) => [text(name), ...flat(inner)]);
  return [text(String(value))];
};
self.dump = (name) => within(name, 'readonly', async (transaction) => {
  const parts = [];
  for (const store of transaction.objectStoreNames) {
    const from = transaction.objectStore(store);
    const [keys, values] = await Promise.all([done(from.getAllKeys()), done(from.getAll())]);
    keys.forEach((key, n) => parts.push(...flat(store), ...flat(key), ...flat(values[n])));
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer().catch(() => new ArrayBuffer()));
});
self.count = (name, store) => within(name, 'readonly', (transaction) => done(transaction.objectStore(store).count()));
self.swap = (name, store) => within(name, 'readwrite', async (transaction) => {
  const rows = transaction.objectStore(store);
  const [keys, values] = await Promise.all([done(rows.getAllKeys()), done(rows.getAll())]);
  if (keys.length < 2) throw new Error('nothing to swap');
  rows.put(values[0], keys[1]);
  rows.put(values[1], keys[0]);
});
self.lose = (name, key) => within(name, 'readwrite', async (transaction) => { transaction.objectStore('meta').delete(key); });
const put = IDBObjectStore.prototype.put;
self.breakPuts = (broken) => {
  let left = 10;
  IDBObjectStore.prototype.put = broken
    ? function (...args) { if (--left < 0) throw new DOMException('as on a full disk', 'QuotaExceededError'); return put.apply(this, args); }
    : put;
};
self.clock = () => performance.now();
