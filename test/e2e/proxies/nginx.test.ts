import { expect, it } from '@jest/globals';
import { attemptsOf } from '../../support/proxies/attempts-of.js';
import { describeProxy } from '../../support/proxies/describe-proxy.js';
import { leaksOf } from '../../support/proxies/leaks-of.js';
import { startNginx, startNginxWith } from '../../support/proxies/nginx.js';
import { describeWith } from '../../support/tools.js';

describeProxy('nginx', startNginx, { accessLog: 'access.log', flood: 500 });

describeWith('nginx', 'the search for tokens in the logs of nginx', (path) => {
  it('finds them in the usual format, and in a log of errors that tells of requests', async () => {
    const leaks = await leaksOf((options) =>
      startNginxWith(path, options, [
        ['access.log sluice;', 'access.log combined;'],
        ['error_log /dev/null emerg;', 'error_log naive.log error;'],
      ]),
    );
    expect(leaks).toEqual(['access.log', 'naive.log']);
  });
});

describeWith('nginx', 'nginx in front of two nodes', (path) => {
  it('asks the second where the first hangs up, but never sends a POST again', async () => {
    const attempts = await attemptsOf((options) => {
      const second = `server 127.0.0.1:${options.upstreamPort} max_fails=0;`;
      return startNginxWith(path, options, [['least_conn;', `least_conn; ${second}`]]);
    });
    expect(attempts).toEqual({ GET: 2, POST: 1 });
  });
});
