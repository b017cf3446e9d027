// Starts the page and gives it one engine, whatever lies below: a SharedWorker, or where there is none a worker of this tab that leads or relays.
// Owns the worker, its replacement when it dies or freezes, and the service worker. Knows nothing of what is said: bytes are the engine's,
// everything else on a port is control.
const base = new URL('./', import.meta.url);
const own = new Set(['./worker.js', './sw.js']);
const urls = globalThis.trustedTypes?.createPolicy('engine-worker', {
  createScriptURL(u) {
    if (!own.has(u)) throw new TypeError('unexpected worker');
    return new URL(u, base).href;
  },
}) ?? { createScriptURL: (u) => new URL(u, base).href };

// For tests and for whoever looks: nothing of this ever leaves the browser.
const violations = (window.__violations = []);
addEventListener('securitypolicyviolation', (e) => violations.push(`${e.violatedDirective} ${e.blockedURI} ${e.sourceFile}:${e.lineNumber}`));
addEventListener('error', (e) => { violations.push(`error ${e.message}`); if (e.error instanceof WebAssembly.RuntimeError) fatal(); });
addEventListener('unhandledrejection', (e) => violations.push(`rejection ${e.reason}`));
// Ports and locks do not survive the back-forward cache.
addEventListener('pageshow', (e) => { if (e.persisted) location.reload(); });

function fatal() {
  document.getElementById('fatal').hidden = false;
}
document.getElementById('fatal-reload').addEventListener('click', () => location.reload());

const tab = 'tab:' + crypto.randomUUID();
const held = new Promise((ok) => navigator.locks.request(tab, () => { ok(); return new Promise(() => {}); }));
const tabs = new BroadcastChannel('tabs');
const deaths = [];
let generation = 0; // of what this tab is connected to; what an earlier one says is not heard
let frozen = 0; // how many engines were given up: part of the name of the next, as a frozen SharedWorker can't be ended
let worker = null, port = null, ready = false;

const engine = (globalThis.subrosaEngine = {
  site: base.href,
  // Set by the page: bytes from the engine; there is an engine that knows nothing of this tab; there is none for now; it dies too often.
  onmessage: null,
  onrestart: null,
  onlost: null,
  onstuck: null,
  // What is posted while there is no engine is dropped: the page repeats it after onrestart.
  post(bytes) { if (ready) port.postMessage(bytes, [bytes.buffer]); },
  // The page has set its handlers.
  listen() { if (ready) engine.onrestart?.(); },
  // It does not answer any more.
  async replace() {
    lost();
    generation += 1;
    frozen += 1;
    worker?.terminate();
    tabs.postMessage({ frozen });
    await navigator.locks.request('leader', { steal: true }, () => {});
    start();
  },
  // All tabs, with a new engine: this one is of another version.
  reload() { tabs.postMessage({ reload: true }); location.reload(); },
});

tabs.onmessage = (e) => {
  if (e.data.reload) location.reload();
  if (e.data.frozen > frozen && self.SharedWorker) {
    frozen = e.data.frozen;
    lost();
    generation += 1;
    setTimeout(start, 100);
  }
};

function lost() {
  ready = false;
  engine.onlost?.();
}
function died(g) {
  if (g !== generation) return;
  generation += 1;
  lost();
  const now = performance.now();
  deaths.push(now);
  while (deaths[0] < now - 60_000) deaths.shift();
  if (deaths.length >= 3) engine.onstuck?.();
  setTimeout(start, deaths.length < 3 ? 0 : 5_000);
}
function start() {
  generation += 1;
  const g = generation;
  let watched = false;
  const heard = (e) => {
    if (g !== generation) return;
    const d = e.data;
    if (d instanceof Uint8Array) return void engine.onmessage?.(d);
    if (d.lock) {
      watched = true;
      navigator.locks.request(d.lock, { mode: 'shared' }, () => died(g));
    }
    if (d.ready) { ready = true; engine.onrestart?.(); }
    if (d.dead && !watched) setTimeout(() => died(g), 200); // its lock tells better when it is gone
  };
  const failed = () => setTimeout(() => died(g), 1_000); // its script could not be loaded
  const url = urls.createScriptURL('./worker.js');
  if (self.SharedWorker) {
    worker = new SharedWorker(url, { type: 'module', name: frozen ? `engine-${frozen}` : 'engine' });
    worker.onerror = failed;
    worker.terminate = () => {};
    port = worker.port;
  } else {
    const channel = new MessageChannel();
    worker = new Worker(url, { type: 'module', name: 'engine' });
    worker.onerror = (e) => { e.preventDefault(); if (!watched) failed(); };
    worker.postMessage({ port: channel.port2 }, [channel.port2]);
    port = channel.port1;
  }
  port.onmessage = heard;
  const to = port;
  held.then(() => to.postMessage({ tab })); // only now: the engine takes a tab for closed when it gets its lock
}

start();
try {
  const app = await import('./app.js');
  await app.default({ module_or_path: new URL('app_bg.wasm', base) });
} catch (e) {
  violations.push(`start ${e}`);
  fatal();
}
navigator.serviceWorker?.register(urls.createScriptURL('./sw.js'), { scope: './' }).catch(() => {}); // without it only reading offline is missing
