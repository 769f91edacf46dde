// Loaded before a service (`--import`): writes its spans to the file of SPANS_FILE, one JSON object a line.
import { appendFileSync } from 'node:fs';
import { context, propagation, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { BasicTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';

const file = process.env['SPANS_FILE'];
const exporter = {
  export(spans, done) {
    for (const span of spans) {
      const { name, kind, attributes, status, events, links, parentSpanContext } = span;
      const told = { name, kind, attributes, status, events, links, parentSpanContext };
      appendFileSync(file, `${JSON.stringify({ ...told, context: span.spanContext() })}\n`);
    }
    done({ code: 0 });
  },
  shutdown: async () => {},
};
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
propagation.setGlobalPropagator(new W3CTraceContextPropagator());
trace.setGlobalTracerProvider(
  new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }),
);
