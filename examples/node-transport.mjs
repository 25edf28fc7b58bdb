// Transport for @sentry/node that stores envelopes through apm.ingest_batch.
//
//   Sentry.init({ dsn, tracesSampleRate: 1, transport: apmTransport({ connectionString }) });
//
// The queue is bounded: when the database cannot keep up, what does not fit is
// dropped, counted in .dropped and reported by the SDK's own client report.
import { createTransport, suppressTracing } from '@sentry/core';
import pg from 'pg';

const INGEST = `SELECT sum(accepted) AS accepted, sum(rejected) AS rejected
  FROM apm.ingest_batch($1::bytea[], array_fill($2::integer, ARRAY[cardinality($1::bytea[])]),
                        array_fill(now(), ARRAY[cardinality($1::bytea[])]))`;

export function apmTransport({ connectionString, maxQueue = 1000, batchSize = 100, delayMs = 50 }) {
  function makeTransport(options) {
    const projectId = Number(/\/api\/(\d+)\//.exec(options.url)[1]);
    const pool = new pg.Pool({ connectionString, max: 1, allowExitOnIdle: true });
    const queue = [];
    let running = false;

    pool.on('error', () => {}); // an idle connection that breaks is opened anew

    async function send() {
      while (queue.length > 0) {
        const batch = queue.splice(0, batchSize);
        try {
          // Our own queries are no part of the application's traces.
          await suppressTracing(() => pool.query(INGEST, [batch.map((e) => e.body), projectId]));
          batch.forEach((e) => e.resolve({ statusCode: 200 }));
        } catch (error) {
          batch.forEach((e) => e.reject(error));
        }
      }
      running = false;
    }

    function request({ body }) {
      return new Promise((resolve, reject) => {
        queue.push({ body: Buffer.from(body), resolve, reject });
        if (!running) {
          running = true;
          setTimeout(send, delayMs);
        }
      });
    }

    function recordDroppedEvent(reason, category, count = 1) {
      makeTransport.dropped += count;
      options.recordDroppedEvent(reason, category, count);
    }

    return createTransport({ ...options, bufferSize: maxQueue, recordDroppedEvent }, request);
  }
  makeTransport.dropped = 0;
  return makeTransport;
}
