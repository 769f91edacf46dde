import { isIP } from 'node:net';

const ADDRESS = /^(tcp|udp|sctp):\/\/(.+):(\d{1,5})$/;

/**
 * What Kubernetes writes into each container for every Service of the namespace (kubelet, envvars.go): for one named
 * "sluice" SLUICE_SERVICE_HOST, SLUICE_SERVICE_PORT, SLUICE_SERVICE_PORT_<NAME>, SLUICE_PORT and SLUICE_PORT_<NUMBER>_TCP
 * with _PROTO, _PORT and _ADDR; for "sluice-nodes" the same behind SLUICE_NODES.
 */
const LINKS: readonly (readonly [name: RegExp, isValue: (text: string) => boolean])[] = [
  [/_SERVICE_HOST$/, isAddress],
  [/_SERVICE_PORT(_[A-Z0-9_]+)?$/, isPort],
  [/_PORT_\d{1,5}_(TCP|UDP|SCTP)_PROTO$/, (text) => /^(tcp|udp|sctp)$/.test(text)],
  [/_PORT_\d{1,5}_(TCP|UDP|SCTP)_PORT$/, isPort],
  [/_PORT_\d{1,5}_(TCP|UDP|SCTP)_ADDR$/, isAddress],
  [/_PORT_\d{1,5}_(TCP|UDP|SCTP)$/, isLinkAddress],
  [/_PORT$/, isLinkAddress],
];

/** Whether it is one of them, by its name and by its value: nobody sets a setting to such a value. */
export function isServiceLink(name: string, text: string): boolean {
  return LINKS.some(([form, isValue]) => form.test(name) && isValue(text));
}

/** What is said of a setting that a Service by the same name has overwritten: one named "ops" writes OPS_PORT. */
export function linkHint(name: string, text: string): string {
  return name.includes('_') && isServiceLink(name, text)
    ? '; Kubernetes writes such a value for a Service of that name: set enableServiceLinks to false'
    : '';
}

function isAddress(text: string): boolean {
  return isIP(text) !== 0;
}

function isPort(text: string): boolean {
  return /^\d{1,5}$/.test(text) && Number(text) <= 65_535;
}

function isLinkAddress(text: string): boolean {
  const [, , host = '', port = ''] = ADDRESS.exec(text) ?? [];
  return isAddress(host.replace(/^\[(.+)\]$/, '$1')) && isPort(port);
}
