import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import type { Deployment, StatefulSet } from 'kubernetes-types/apps/v1.js';
import type { ConfigMap, Container, PodTemplateSpec, Service } from 'kubernetes-types/core/v1.js';
import type { NetworkPolicy } from 'kubernetes-types/networking/v1.js';
import type { PodDisruptionBudget } from 'kubernetes-types/policy/v1.js';
import { parseAllDocuments } from 'yaml';
import { readConfig } from '../../server/config.js';

// No cluster runs where the tests run. So each manifest is compiled against the types of the Kubernetes API, in which a field
// that does not exist is an error, and what must agree between manifests is compared.

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '../..');
const FOLDER = join(ROOT, 'ops/kubernetes');
/** What a node may take to end beyond DRAIN_MS (docs/configuration.md, "Going down"). */
const LAST_STREAMS_SECONDS = 7;
const LAST_WRITES_SECONDS = 5;

interface Manifest {
  readonly file: string;
  readonly value: { readonly apiVersion: string; readonly kind: string };
}

async function readManifests(): Promise<Manifest[]> {
  const files = (await readdir(FOLDER, { recursive: true })).filter((file) =>
    file.endsWith('.yaml'),
  );
  const read = files.sort().map(async (file) => {
    const documents = parseAllDocuments(await readFile(join(FOLDER, file), 'utf8'));
    return documents.map((document) => {
      expect(document.errors).toEqual([]);
      return { file, value: document.toJS() as Manifest['value'] };
    });
  });
  return (await Promise.all(read)).flat();
}

const manifests = await readManifests();
const resources = manifests.filter(({ value }) => value.kind !== 'Kustomization');

function only<Kind>(kind: string, folder = 'many-nodes/'): Kind {
  const found = resources.filter(
    ({ file, value }) => file.startsWith(folder) && value.kind === kind,
  );
  expect(found).toHaveLength(1);
  return found[0]?.value as Kind;
}

/** What the compiler says of manifests as values of their kinds. */
async function compile(values: readonly Manifest['value'][]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-manifests-'));
  try {
    const lines = values.map(({ apiVersion, kind, ...rest }, index) => {
      const group = apiVersion.includes('/')
        ? apiVersion.replace(/\.k8s\.io\//, '/')
        : `core/${apiVersion}`;
      const literal = JSON.stringify({ apiVersion, kind, ...rest });
      return `import type { ${kind} as Kind${index} } from 'kubernetes-types/${group}';\nexport const value${index}: Kind${index} = ${literal};`;
    });
    await writeFile(join(folder, 'manifests.ts'), lines.join('\n'));
    await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    const args = [
      '--ignoreConfig',
      '--noEmit',
      '--strict',
      '--skipLibCheck',
      '--types',
      '',
      'manifests.ts',
    ];
    const { stdout } = await run(join(ROOT, 'node_modules/.bin/tsc'), args, { cwd: folder }).catch(
      (error: { stdout: string }) => error,
    );
    return stdout;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const seconds = (ms: string | undefined) => Number(ms) / 1_000;
const environmentOf = (container: Container | undefined) =>
  Object.fromEntries((container?.env ?? []).map(({ name, value }) => [name, value ?? '']));

describe('the manifests for Kubernetes', () => {
  it('have the fields of their kinds and no others', async () => {
    expect(resources.length).toBeGreaterThan(8);
    const wrong = { apiVersion: 'v1', kind: 'Service', spec: { port: [] } } as Manifest['value'];
    expect(await compile([wrong])).toContain("does not exist in type 'ServiceSpec'");
    expect(await compile(resources.map(({ value }) => value))).toBe('');
  });

  it('are all named by their kustomization, but for the example of a secret', () => {
    for (const { file, value } of manifests.filter(
      ({ value: { kind } }) => kind === 'Kustomization',
    )) {
      const folder = file.slice(0, file.lastIndexOf('/') + 1);
      const beside = [...new Set(resources.map((resource) => resource.file))]
        .filter((name) => name.startsWith(folder))
        .map((name) => name.slice(folder.length))
        .filter((name) => name !== 'secret.example.yaml');
      const { resources: named, images } = value as unknown as {
        resources: string[];
        images: { newTag: string }[];
      };
      expect([...named].sort()).toEqual(beside);
      expect(images).toEqual([
        expect.objectContaining({ name: 'sluice', newTag: expect.stringMatching(/^\d/) }),
      ]);
    }
  });

  it.each([
    ['many-nodes/', 'Deployment'],
    ['single-node/', 'StatefulSet'],
  ])('give a pod of %s no more than it needs, and the time to drain', (folder, kind) => {
    const { spec } = only<Deployment | StatefulSet>(kind, folder);
    const { metadata, spec: pod } = (spec?.template ?? {}) as PodTemplateSpec;
    expect(metadata?.labels).toMatchObject(spec?.selector.matchLabels ?? { none: '' });
    expect(pod).toMatchObject({
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      securityContext: {
        runAsNonRoot: true,
        runAsUser: 10_001,
        seccompProfile: { type: 'RuntimeDefault' },
      },
    });
    const [container] = pod?.containers ?? [];
    expect(container?.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    expect(container?.resources).toMatchObject({
      requests: { memory: expect.any(String) },
      limits: { memory: expect.any(String) },
    });
    expect(container?.volumeMounts).toContainEqual({ name: 'data', mountPath: '/data' });

    const drainMs =
      folder === 'many-nodes/'
        ? only<ConfigMap>('ConfigMap').data?.['DRAIN_MS']
        : environmentOf(container)['DRAIN_MS'];
    const pause = Number(container?.lifecycle?.preStop?.exec?.command?.[1] ?? 0);
    const needed = pause + seconds(drainMs) + LAST_STREAMS_SECONDS + LAST_WRITES_SECONDS;
    expect(pod?.terminationGracePeriodSeconds).toBeGreaterThan(needed);
  });

  it.each([
    ['many-nodes/', 'Deployment'],
    ['single-node/', 'StatefulSet'],
  ])('ask a pod of %s at the port for operators whether it lives and is ready', (folder, kind) => {
    const [container] = only<Deployment>(kind, folder).spec?.template.spec?.containers ?? [];
    expect(container?.ports).toEqual([
      { name: 'http', containerPort: 3000 },
      { name: 'ops', containerPort: 9464 },
    ]);
    const asked = (probe: 'startupProbe' | 'livenessProbe' | 'readinessProbe') =>
      container?.[probe]?.httpGet;
    expect(asked('startupProbe')).toEqual({ path: '/healthz', port: 'ops' });
    expect(asked('livenessProbe')).toEqual({ path: '/healthz', port: 'ops' });
    expect(asked('readinessProbe')).toEqual({ path: '/readyz', port: 'ops' });
  });

  it('have settings that stand', () => {
    const { REDIS_URL_FILE: _file, ...data } = only<ConfigMap>('ConfigMap').data ?? {};
    const many = { ...data, HOST: '0.0.0.0', REDIS_URL: 'redis://127.0.0.1' };
    expect(readConfig(many)).toMatchObject({ ops: { host: '0.0.0.0', port: 9_464 } });
    const [container] =
      only<StatefulSet>('StatefulSet', 'single-node/').spec?.template.spec?.containers ?? [];
    const single = { ...environmentOf(container), HOST: '0.0.0.0', OPS_PORT: '9464' };
    expect(readConfig(single)).toMatchObject({ ops: { host: '0.0.0.0' } });
  });

  it('let one node go at a time, and nobody but Prometheus to the port for operators', () => {
    const deployment = only<Deployment>('Deployment');
    const labels = deployment.spec?.template.metadata?.labels;
    expect(deployment.spec?.strategy?.rollingUpdate).toEqual({ maxSurge: 1, maxUnavailable: 0 });
    const budget = only<PodDisruptionBudget>('PodDisruptionBudget').spec;
    expect(budget).toEqual({ maxUnavailable: 1, selector: { matchLabels: labels } });
    const service = only<Service>('Service').spec;
    expect(service?.selector).toEqual(labels);
    expect(service?.ports?.map(({ targetPort }) => targetPort)).toEqual(['http']);
    const policy = only<NetworkPolicy>('NetworkPolicy').spec;
    expect(policy?.podSelector.matchLabels).toEqual(labels);
    expect(policy?.policyTypes).toEqual(['Ingress', 'Egress']);
    const opened = policy?.ingress?.map(({ from, ports }) => [
      from?.[0]?.namespaceSelector?.matchLabels?.['kubernetes.io/metadata.name'],
      ports?.map(({ port }) => port),
    ]);
    expect(opened).toEqual([
      ['ingress-nginx', ['http']],
      ['monitoring', ['ops']],
    ]);
  });
});
