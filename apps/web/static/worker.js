// The engine's worker, shared or of one tab. Loads the wasm only when it leads: whoever holds the Web Lock `leader` is the one engine of this
// browser. A worker of a tab that does not lead passes its tab's bytes on to the one that does, by BroadcastChannel.
// Handlers are set before the first await, or the first tab's port would be lost.
const mine = 'engine:' + crypto.randomUUID(); // held as long as this worker lives: tabs wait for it
const shared = 'onconnect' in self;
const ports = new Map(); // port → tab, null until it said its name
let held = false, engine = null;

if (shared) self.onconnect = (e) => take(e.ports[0]);
else self.onmessage = (e) => { if (e.data?.port) take(e.data.port); };
// A panic is a trap: the instance is poisoned, so say so and go.
self.addEventListener('error', (e) => dead(e.message));
self.addEventListener('unhandledrejection', (e) => { if (e.reason instanceof WebAssembly.RuntimeError) dead(e.reason.message); });

// A page found that it and this worker are of different versions: all begin anew.
new BroadcastChannel('tabs').onmessage = (e) => { if (e.data.reload) self.close(); };

function dead(why) {
  for (const port of ports.keys()) port.postMessage({ dead: String(why) });
  self.close();
}
function take(port) {
  ports.set(port, null);
  if (held) port.postMessage({ lock: mine });
  port.onmessage = (e) => {
    if (e.data instanceof Uint8Array) return relay?.postMessage({ from: ports.get(port), bytes: e.data });
    if (!e.data?.tab || ports.get(port)) return;
    ports.set(port, e.data.tab);
    if (engine) serve(port, e.data.tab);
    else relay?.postMessage({ join: e.data.tab });
  };
}
// The engine answers this tab from now on, until the tab's lock is free.
function serve(port, tab) {
  const id = engine.attach(port);
  port.postMessage({ ready: true });
  navigator.locks.request(tab, () => { engine.detach(id); ports.delete(port); port.close(); });
}

// Workers of tabs, among each other: {join: tab}, {from: tab, bytes} to the one that leads; {to: tab, ready | bytes} and {leads} from it.
const relay = shared ? null : new BroadcastChannel('engine');
const far = new Map(); // tab → our end of the port that the engine has for it, and its number there
if (relay) relay.onmessage = (e) => {
  const d = e.data;
  if (engine) {
    if (d.from) far.get(d.from)?.port.postMessage(d.bytes, [d.bytes.buffer]);
    if (d.join) join(d.join);
    return;
  }
  for (const [port, tab] of ports) {
    if (!tab) continue;
    if (d.leads) relay.postMessage({ join: tab });
    if (d.to === tab) {
      if (d.ready) port.postMessage({ ready: true });
      else port.postMessage(d.bytes, [d.bytes.buffer]);
    }
  }
};
function join(tab) {
  const known = leave(tab);
  const { port1, port2 } = new MessageChannel();
  port2.onmessage = (e) => { if (e.data instanceof Uint8Array) relay.postMessage({ to: tab, bytes: e.data }); };
  far.set(tab, { port: port2, id: engine.attach(port1) });
  relay.postMessage({ to: tab, ready: true });
  if (!known) navigator.locks.request(tab, () => { leave(tab); }); // one that asked before still waits
}
function leave(tab) {
  const old = far.get(tab);
  if (!old) return false;
  engine.detach(old.id);
  old.port.close();
  return far.delete(tab);
}

navigator.locks.request(mine, () => {
  held = true;
  for (const port of ports.keys()) port.postMessage({ lock: mine });
  return new Promise(() => {});
});
// Rejected when the engine does not load, or when the lock was taken from a worker that did not answer: either way it is over.
navigator.locks.request('leader', async () => {
  const m = await import('./engine.js');
  await m.default({ module_or_path: new URL('engine_bg.wasm', import.meta.url) });
  engine = m;
  for (const [port, tab] of ports) if (tab) serve(port, tab);
  relay?.postMessage({ leads: mine });
  return new Promise(() => {});
}).catch((e) => dead(e));
