// Runs calls of the module and answers, in a dedicated or a shared worker.
const early = [];
let serve = (port, call) => early.push([port, call]);
const take = (port) => { port.onmessage = (event) => serve(port, event.data); };
if ('onconnect' in self) self.onconnect = (event) => take(event.ports[0]);
else take(self);
await import('./scope.js');
const module = await import('./tests.js');
await module.default({ module_or_path: new URL('tests_bg.wasm', import.meta.url) });
serve = (port, { f, args }) => {
  self.panicked = (words) => port.postMessage({ error: words });
  self.told = (round) => port.postMessage({ round });
  module[f](...args).then((value) => port.postMessage({ value }), (error) => port.postMessage({ error: String(error) }));
};
early.splice(0).forEach(([port, call]) => serve(port, call));
