import { areFrameBytes, type FrameBytes } from '../../src/frame.ts';

/** Bytes as those of a frame, which is the last of those that were read together: what is beyond it must not be read. */
export function asFrame(given: Uint8Array): FrameBytes {
  const before = Buffer.from('["EVENT","r1",{"id":"');
  const memory = new ArrayBuffer(before.length + given.length);
  const all = Buffer.from(memory);
  all.set(before);
  all.set(given, before.length);
  const bytes = all.subarray(before.length);
  if (!areFrameBytes(bytes)) throw new Error('a Buffer should be that');
  return bytes;
}

export const inBytes = (text: string): FrameBytes => asFrame(Buffer.from(text));
