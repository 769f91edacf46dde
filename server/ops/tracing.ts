import {
  type Attributes,
  type Context,
  context,
  ProxyTracerProvider,
  propagation,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  type TextMapGetter,
  TraceFlags,
  trace,
} from '@opentelemetry/api';
import { plainLine } from './record.js';

// Traces for whoever registers an OpenTelemetry SDK; without one, each function here is a question and an answer. No URL, no
// header and no words of an error ever become an attribute, and the names of spans are a handful.

const NAME = 'sluice';
/** W3C Trace Context, section 3.2.2: version, trace-id, parent-id, trace-flags. */
const TRACEPARENT = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;
/**
 * Section 3.3.1.5: "Vendors SHOULD propagate at least 512 characters of a combined header." It is exported with each span as it
 * came, so one that holds what looks like a token is left out.
 */
const TRACESTATE = /^(?!.*(?:eyJ|sst_|scs_))[\x20-\x7e]{1,512}$/;
/** Semantic conventions for HTTP spans: a method that is none of these is `_OTHER`. */
const METHODS = new Set('CONNECT DELETE GET HEAD OPTIONS PATCH POST PUT TRACE'.split(' '));
const MAX_TEXT_LENGTH = 256;

type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** Shows propagators two headers, if they are well-formed: whatever else a caller sends is not carried on. */
const GETTER: TextMapGetter<Headers> = {
  keys: () => ['traceparent', 'tracestate'],
  get(headers, name) {
    const value = headers[name];
    if (typeof value !== 'string') return undefined;
    if (name === 'traceparent') return TRACEPARENT.test(value) ? value : undefined;
    return name === 'tracestate' && TRACESTATE.test(value) ? value : undefined;
  },
};

let isSdkKnown = false;

/** Whether somebody has registered an SDK. Once there is one, it stays. */
export function isTracing(): boolean {
  if (isSdkKnown) return true;
  const provider = trace.getTracerProvider();
  // A provider of another copy of the API is there because somebody registered one.
  isSdkKnown =
    !(provider instanceof ProxyTracerProvider) || provider.getDelegateTracer(NAME) !== undefined;
  return isSdkKnown;
}

/** The span of a request, and the context in which its work is to run; `null` where nobody traces. */
export interface RequestSpan {
  readonly span: Span;
  readonly context: Context;
}

/** @param route a pattern, never the path; `null` where it is none of ours */
export function startRequestSpan(
  headers: Headers,
  method: string,
  route: string | null,
): RequestSpan | null {
  if (!isTracing()) return null;
  const active = context.active();
  // An SDK may have made a span of the request already.
  const parent =
    trace.getSpan(active) === undefined
      ? propagation.extract(ROOT_CONTEXT, headers, GETTER)
      : active;
  const known = METHODS.has(method) ? method : null;
  const name = [known ?? 'HTTP', ...(route === null ? [] : [route])].join(' ');
  const span = trace.getTracer(NAME).startSpan(
    name,
    {
      kind: SpanKind.SERVER,
      attributes: {
        'http.request.method': known ?? '_OTHER',
        ...(route !== null && { 'http.route': route }),
      },
    },
    parent,
  );
  return { span, context: trace.setSpan(parent, span) };
}

/** Runs what belongs to a request, so that its steps become children of its span. */
export function runWithin<Result>(request: RequestSpan | null, work: () => Result): Result {
  return request === null ? work() : context.with(request.context, work);
}

/** Watches one step of what a span is open for. Without such a span there is nothing that it would be a step of. */
export function traced<Result>(
  name: string,
  work: () => Promise<Result>,
  attributes?: Attributes,
): Promise<Result> {
  if (!isTracing() || trace.getActiveSpan() === undefined) return work();
  return withSpan(name, work, attributes);
}

async function withSpan<Result>(
  name: string,
  work: () => Promise<Result>,
  attributes: Attributes = {},
): Promise<Result> {
  const span = trace.getTracer(NAME).startSpan(name, { attributes });
  try {
    return await context.with(trace.setSpan(context.active(), span), work);
  } catch (error) {
    markFailed(span, error);
    throw error;
  } finally {
    span.end();
  }
}

/** An attribute that came from a caller: bounded, and plain for every reader. */
export function attributeText(text: string): string {
  return plainLine(text.slice(0, MAX_TEXT_LENGTH));
}

/** What a log line says to find its trace; `null` where nothing is recorded. */
export function traceOf(request: RequestSpan | null): SpanContext | null {
  return request?.span.isRecording() ? request.span.spanContext() : null;
}

/**
 * Tells of the end of something that began with a span and went on for longer than a span should: in a trace of its own,
 * which is linked to that span.
 */
export function traceEnd(name: string, begin: SpanContext, attributes: Attributes): void {
  if ((begin.traceFlags & TraceFlags.SAMPLED) === 0) return;
  const links = [{ context: begin }];
  trace.getTracer(NAME).startSpan(name, { root: true, links, attributes }, ROOT_CONTEXT).end();
}

/** By its code alone: the words of an error are not for spans. */
function markFailed(span: Span, error: unknown): void {
  const { code } = (error ?? {}) as { readonly code?: unknown };
  const isCode = typeof code === 'string' && /^[A-Z_]{1,64}$/.test(code);
  span.setAttribute('error.type', isCode ? code : '_OTHER');
  if (!isCode || code === 'INTERNAL_ERROR') span.setStatus({ code: SpanStatusCode.ERROR });
}
