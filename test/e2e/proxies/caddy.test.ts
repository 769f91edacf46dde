import { startCaddy, startCaddyWith } from '../../support/proxies/caddy.js';
import { type AccessLine, describeProxy } from '../../support/proxies/describe-proxy.js';
import { describeReadiness } from '../../support/proxies/describe-readiness.js';

describeProxy('caddy', startCaddy, { accessLog: 'caddy stdout', readLine });

// The error log stands beside the access log, and no filter of that one changes it.
describeReadiness('caddy', startCaddyWith, {
  naive: [['output discard', 'output stderr']],
});

interface CaddyLine {
  readonly request: { readonly method: string; readonly uri: string };
  readonly status: number;
  readonly requestId?: string;
}

function readLine(line: string): AccessLine {
  const { request, status, requestId = '' } = JSON.parse(line) as CaddyLine;
  return { method: request.method, path: request.uri, status, requestId };
}
