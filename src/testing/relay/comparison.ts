/** The version of the protocol (NIP-77), and what a range of a message holds. */
const VERSION = '61';
const FINGERPRINT = '01';
const IDS = '02';
/** The bound that is beyond all events. */
const INFINITY = '0000';

/** A whole number as bytes of seven bits, the highest first, all but the last marked. */
function varint(value: number): string {
  const bytes = [value & 127];
  for (let rest = value >>> 7; rest > 0; rest >>>= 7) bytes.unshift((rest & 127) | 128);
  return bytes.map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** What a relay says first whatever it is told: that something differs somewhere. */
export const somethingDiffers = (): string => `${VERSION}${INFINITY}${FINGERPRINT}${'5a'.repeat(16)}`;

/** All that a relay has, in one range: as short as such a message gets for who has little. */
export const allIds = (ids: readonly string[]): string =>
  `${VERSION}${INFINITY}${IDS}${varint(ids.length)}${ids.join('')}`;
