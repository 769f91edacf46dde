import { describe, expect, it } from '@jest/globals';
import { SERVICE_ERRORS, type ServiceErrorCode } from '@sluice/protocol';
import { SluiceError } from '../errors.js';
import { StepTimes } from './step-times.js';

const countsOf = (times: StepTimes) =>
  Object.fromEntries(
    times.read().map(({ step, outcome, times: { count } }) => [`${step} ${outcome}`, count]),
  );
const NOTHING = Object.fromEntries(
  ['token', 'permission', 'places'].flatMap((step) =>
    ['ok', 'refused', 'failed'].map((outcome) => [`${step} ${outcome}`, 0]),
  ),
);

describe('the times of the steps of the gate', () => {
  it('tell how long a step took, and hand on its result', async () => {
    const times = new StepTimes();
    expect(countsOf(times)).toEqual(NOTHING);
    const work = async () => {
      await new Promise((resolve) => setTimeout(resolve, 30));
      return 'alice';
    };
    expect(await times.watch('token', work)).toBe('alice');
    expect(countsOf(times)).toEqual({ ...NOTHING, 'token ok': 1 });
    const [{ times: ofToken } = { times: { sum: 0 } }] = times.read();
    expect(ofToken.sum).toBeGreaterThanOrEqual(0.025);
    expect(ofToken.sum).toBeLessThan(5);
  });

  const codes = Object.keys(SERVICE_ERRORS) as ServiceErrorCode[];
  it.each(codes)('tell whether %s is the fault of who asks, and hand it on', async (code) => {
    const times = new StepTimes();
    const error = new SluiceError(code);
    await expect(times.watch('places', () => Promise.reject(error))).rejects.toBe(error);
    const isOurs = ['AUTH_ERROR', 'UNAVAILABLE', 'INTERNAL_ERROR'].includes(code);
    expect(countsOf(times)).toEqual({ ...NOTHING, [`places ${isOurs ? 'failed' : 'refused'}`]: 1 });
  });

  it('tell of a fault that is none of the service’s words as a failure', async () => {
    const times = new StepTimes();
    const error = new TypeError('undefined is not a function');
    await expect(times.watch('permission', () => Promise.reject(error))).rejects.toBe(error);
    expect(countsOf(times)).toEqual({ ...NOTHING, 'permission failed': 1 });
  });
});
