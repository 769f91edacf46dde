/** @throws TypeError that names an option, and says what it must be. */
export function check(name: string, isRight: boolean, rule: string): asserts isRight {
  if (!isRight) throw new TypeError(`"${name}" must be ${rule}`);
}

/** @throws TypeError */
export function checkCallback<Name extends string>(
  options: { readonly [name in Name]?: unknown },
  name: Name,
): void {
  checkType(name, options[name], 'function');
}

/** @throws TypeError, unless `value` is left out or of this type. */
export function checkType(name: string, value: unknown, type: 'function' | 'boolean'): void {
  check(name, [type, 'undefined'].includes(typeof value), `a ${type}`);
}

/** @throws TypeError */
export function checkNumber(name: string, value: unknown, most: number): void {
  const isRight = typeof value === 'number' && value > 0 && value <= most;
  check(name, isRight, `a number above 0, at most ${most}`);
}
