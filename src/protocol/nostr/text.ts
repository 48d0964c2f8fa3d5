/** Longest text of a relay that is kept, in characters. */
const TEXT_LENGTH_MAX = 512;

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** A relay's words, cut and without characters that could move a terminal's cursor or turn text around. */
export const safeText = (text: string): string => text.slice(0, TEXT_LENGTH_MAX).replace(UNSAFE, '\ufffd');
