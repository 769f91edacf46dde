/** @throws TypeError that names an option, and says what it must be. */
export function check(name: string, isRight: boolean, rule: string): asserts isRight {
  if (!isRight) throw new TypeError(`"${name}" must be ${rule}`);
}
