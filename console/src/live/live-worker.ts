/** The SharedWorker: one hub for all tabs. A tab says `bye` when it goes; one that crashed is dropped when it stops answering pings. */
import { browserHub, type LiveWish } from './live-hub.ts';

const hub = browserHub();
const PING_MS = 20_000;
const SILENT_MS_MAX = 65_000;

interface PortLike {
  onmessage: ((event: { data: LiveWish | 'bye' | 'pong' }) => void) | null;
  postMessage(message: unknown): void;
}

(self as unknown as { onconnect: (event: { ports: PortLike[] }) => void }).onconnect = ({ ports }) => {
  const port = ports[0]!;
  let heardMs = Date.now();
  hub.attach(port, (message) => port.postMessage(message));
  const timer = setInterval(() => {
    if (Date.now() - heardMs > SILENT_MS_MAX) leave();
    else port.postMessage('ping');
  }, PING_MS);
  const leave = (): void => {
    clearInterval(timer);
    hub.detach(port);
  };
  port.onmessage = ({ data }) => {
    heardMs = Date.now();
    if (data === 'bye') leave();
    else if (data !== 'pong') {
      hub.attach(port, (message) => port.postMessage(message));
      hub.want(port, data);
    }
  };
};
