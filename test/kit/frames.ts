import { areFrameBytes, type FrameBytes } from '../../src/frame.ts';

/** A text as the bytes of a frame, which is the last of those that were read together: what is beyond it must not be read. */
export function inBytes(text: string): FrameBytes {
  const before = '["EVENT","r1",{"id":"';
  const memory = new ArrayBuffer(before.length + Buffer.byteLength(text));
  Buffer.from(memory).write(before + text);
  const bytes = Buffer.from(memory, before.length);
  if (!areFrameBytes(bytes)) throw new Error('a Buffer should be that');
  return bytes;
}
