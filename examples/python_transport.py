"""Transport for sentry_sdk that stores envelopes through apm.ingest_batch.

    sentry_sdk.init(dsn=dsn, traces_sample_rate=1.0, transport=ApmTransport)

The connection is what libpq's environment (PGHOST, PGDATABASE, …) or the
variable DATABASE_URL says.  The queue is bounded: when the database cannot
keep up, what does not fit is dropped and counted in ApmTransport.dropped.
"""
import os
import queue
import threading
import time

import psycopg
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport

MAX_QUEUE = 1000
BATCH = 100
INGEST = """SELECT count(*) FROM apm.ingest_batch(%(bodies)s::bytea[],
  array_fill(%(project)s::integer, ARRAY[cardinality(%(bodies)s::bytea[])]),
  array_fill(now(), ARRAY[cardinality(%(bodies)s::bytea[])]))"""


class ApmTransport(Transport):
    dropped = 0

    def __init__(self, options=None):
        super().__init__(options)
        self.project = int(self.parsed_dsn.project_id)
        self.queue = queue.Queue(MAX_QUEUE)
        self.worker_pid = None

    def capture_event(self, event):
        envelope = Envelope(headers={"event_id": event.get("event_id")})
        envelope.add_event(event)
        self.capture_envelope(envelope)

    def capture_envelope(self, envelope):
        if self.worker_pid != os.getpid():  # the first time, and after a fork
            self.worker_pid = os.getpid()
            threading.Thread(target=self._work, name="apm-transport", daemon=True).start()
        try:
            self.queue.put_nowait(envelope.serialize())
        except queue.Full:
            ApmTransport.dropped += 1

    def _work(self):
        connection = None
        while True:
            bodies = [self.queue.get()]
            while len(bodies) < BATCH and not self.queue.empty():
                bodies.append(self.queue.get())
            try:
                if connection is None or connection.closed:
                    connection = psycopg.connect(os.environ.get("DATABASE_URL", ""), autocommit=True)
                connection.execute(INGEST, {"bodies": bodies, "project": self.project})
            except psycopg.Error:
                ApmTransport.dropped += len(bodies)
            finally:
                for _ in bodies:
                    self.queue.task_done()

    def flush(self, timeout, callback=None):
        end = time.monotonic() + timeout
        while self.queue.unfinished_tasks and time.monotonic() < end:
            time.sleep(0.01)
