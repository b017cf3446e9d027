// `run(where, f, args)`: calls a function of the module in this page or in a new worker of it.
import './scope.js';
import * as module from './tests.js';
await module.default({ module_or_path: '/tests_bg.wasm' });
let workers = 0;
self.run = (where, f, args) => new Promise((ok, no) => {
  const answer = ({ value, error, round }) => { if (round !== undefined) self.round = round; else if (error !== undefined) no(new Error(error)); else ok(value); };
  if (where === 'page') {
    self.panicked = (words) => no(new Error(words));
    self.told = (round) => { self.round = round; };
    module[f](...args).then(ok, no);
    return;
  }
  const worker = where === 'dedicated'
    ? new Worker('/worker.js', { type: 'module' })
    : new SharedWorker('/worker.js', { type: 'module', name: `${location.search}-${workers++}` });
  worker.onerror = (event) => no(new Error(event.message ?? 'the worker died'));
  const port = where === 'dedicated' ? worker : worker.port;
  port.onmessage = (event) => answer(event.data);
  port.postMessage({ f, args });
});
self.names = module.names();
self.ready = true;
