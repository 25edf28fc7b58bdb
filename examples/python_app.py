"""A small application: one transaction with a span of its own, and an error."""
import os
import time

import sentry_sdk

from python_transport import ApmTransport

sentry_sdk.init(
    dsn=os.environ["SENTRY_DSN"],
    release="python-app@1.0",
    environment="example",
    traces_sample_rate=1.0,
    transport=ApmTransport,
)

with sentry_sdk.start_transaction(op="queue.process", name="send invoice"):
    with sentry_sdk.start_span(op="invoice.render", description="render the invoice") as span:
        span.set_data("invoice.pages", 2)
        span.set_data("invoice.password", "never stored")
        time.sleep(0.02)
    try:
        raise ValueError("invoice has no address")
    except ValueError as error:
        sentry_sdk.capture_exception(error)

sentry_sdk.flush(10)
print("dropped", ApmTransport.dropped)
