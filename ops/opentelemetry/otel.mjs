// Traces of Sluice, sent to an OpenTelemetry collector. Loaded before the service:
//
//   npm install @opentelemetry/api @opentelemetry/sdk-trace-base @opentelemetry/context-async-hooks \
//     @opentelemetry/core @opentelemetry/resources @opentelemetry/exporter-trace-otlp-http
//   OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 node --import ./otel.mjs server/dist/main.js
//
// OTEL_TRACES_EXPORTER=console prints spans to standard output instead, and needs no collector.
//
// Sluice makes its spans itself. Do NOT add @opentelemetry/instrumentation-http (or auto-instrumentations-node) without
// leaving the requests of clients out: it writes the query into url.query, access_token with it. If you need it for outgoing
// requests: new HttpInstrumentation({ disableIncomingRequestInstrumentation: true }).
import { context, propagation, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  BasicTracerProvider,
  BatchSpanProcessor,
  ConsoleSpanExporter,
  ParentBasedSampler,
  SimpleSpanProcessor,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace-base';

const { OTEL_TRACES_EXPORTER, OTEL_SERVICE_NAME = 'sluice', SAMPLE_RATIO = '0.01' } = process.env;
const rootSampler = new TraceIdRatioBasedSampler(Number(SAMPLE_RATIO));

const provider = new BasicTracerProvider({
  resource: resourceFromAttributes({ 'service.name': OTEL_SERVICE_NAME }),
  // Anybody can send a traceparent. One that says "sampled" is taken at its word no more often than a request without one;
  // where a proxy of yours sets the header and takes away that of strangers, leave the second line out.
  sampler: new ParentBasedSampler({
    root: rootSampler,
    remoteParentSampled: rootSampler,
  }),
  spanProcessors: [await processorFor(OTEL_TRACES_EXPORTER)],
});

// Without a context manager the steps of the gate are nobody's children, and are left out.
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
propagation.setGlobalPropagator(new W3CTraceContextPropagator());
trace.setGlobalTracerProvider(provider);

// The service takes its time to end; what has been gathered is sent when it begins to.
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => provider.forceFlush().catch(() => {}));
}

async function processorFor(exporter) {
  if (exporter === 'console') return new SimpleSpanProcessor(new ConsoleSpanExporter());
  const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-http');
  return new BatchSpanProcessor(new OTLPTraceExporter());
}
