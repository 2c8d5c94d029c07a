const part = '[a-z0-9][a-z0-9._-]{0,127}';
const namePattern = new RegExp(`^${part}/${part}$`);
const groupPattern = new RegExp(`^${part}$`);

export const TEMPORARY = '.tmp';

/**
 * Exactly one slash, so that no name can be the folder of another on a disk; no capitals, since some disks do not tell
 * them apart; nothing that a path, a URL or a shell reads as anything but itself.
 * @throws TypeError: names are made by us, so a wrong one is a defect.
 */
export function checkName(name: string): void {
  if (!namePattern.test(name) || name.endsWith(TEMPORARY)) {
    throw new TypeError(
      `${JSON.stringify(name)} is not a blob's name: GROUP/LEAF of a-z 0-9 . _ -`,
    );
  }
}

/** @throws TypeError */
export function checkGroup(group: string): void {
  if (!groupPattern.test(group)) {
    throw new TypeError(`${JSON.stringify(group)} is not a group's name: a-z 0-9 . _ -`);
  }
}

/** @throws RangeError */
export function checkRange({ start, end = start }: { start: number; end?: number }): void {
  if (!Number.isSafeInteger(start) || start < 0 || !Number.isSafeInteger(end) || end < 0) {
    throw new RangeError(`a range must be of whole numbers from 0, got ${start} to ${end}`);
  }
}
