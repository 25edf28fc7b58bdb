// A small application: one transaction with a span of its own, and an error.
import * as Sentry from '@sentry/node';
import { apmTransport } from './node-transport.mjs';

const transport = apmTransport({ connectionString: process.env.DATABASE_URL });

Sentry.init({
  dsn: process.env.SENTRY_DSN,
  release: 'node-app@1.0',
  environment: 'example',
  tracesSampleRate: 1,
  transport,
});

await Sentry.startSpan({ name: 'GET /checkout', op: 'http.server' }, async () => {
  await Sentry.startSpan(
    { name: 'price of the basket', op: 'basket.price', attributes: { 'basket.items': 3, 'basket.password': 'never stored' } },
    () => new Promise((resolve) => setTimeout(resolve, 20)),
  );
  Sentry.captureException(new TypeError('basket is empty'));
});

await Sentry.flush(10000);
console.log(`dropped ${transport.dropped}`);
await Sentry.close(1000);
