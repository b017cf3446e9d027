// Keeps a copy of the page for when its server can't be reached: what is stored in this browser stays readable. The server's answer always
// goes first. Never touches the API.
const CACHE = 'shell-1';
const SHELL = ['./', 'index.html', 'app.js', 'app_bg.wasm', 'engine.js', 'engine_bg.wasm', 'worker.js', 'boot.js', 'style.css', 'icon.svg', 'site.json'];
const known = new Map(SHELL.map((name) => [new URL(name, self.registration.scope).href, name === 'index.html' ? './' : name]));

self.addEventListener('install', (e) => {
  self.skipWaiting();
  e.waitUntil(caches.open(CACHE).then((cache) => Promise.allSettled(SHELL.filter((name) => name !== 'index.html').map((name) => cache.add(new Request(name, { cache: 'no-cache' }))))));
});
self.addEventListener('activate', (e) => {
  e.waitUntil(caches.keys().then((names) => Promise.all(names.filter((n) => n.startsWith('shell-') && n !== CACHE).map((n) => caches.delete(n)))).then(() => self.clients.claim()));
});
self.addEventListener('fetch', (e) => {
  const url = new URL(e.request.url);
  url.search = url.hash = '';
  const name = known.get(url.href);
  if (e.request.method === 'GET' && name) e.respondWith(answer(e.request, name));
});

async function answer(request, name) {
  const cache = await caches.open(CACHE);
  try {
    const fresh = await fetch(request);
    if (fresh.ok && !fresh.redirected) await cache.put(name, fresh.clone());
    if (fresh.status < 500) return fresh;
    return (await cache.match(name)) ?? fresh; // a proxy answers for a gateway that is away
  } catch (e) {
    const kept = await cache.match(name);
    if (kept) return kept;
    throw e;
  }
}
