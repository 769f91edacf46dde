import { describeProxy } from '../../support/proxies/describe-proxy.js';
import { describeReadiness } from '../../support/proxies/describe-readiness.js';
import { startVarnish, startVarnishWith } from '../../support/proxies/varnish.js';

describeProxy('varnishd', startVarnish, { accessLog: 'access.log' });

// With its headers in shared memory, they are in a file too, whatever the access log says.
describeReadiness('varnishd', startVarnishWith, { naive: { arguments: [['-ReqURL,', '']] } });
