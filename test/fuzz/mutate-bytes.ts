/** Changes at the level of bytes, for whatever has no grammar left. */
import type { Chance } from './chance.ts'

/** One to four of: flipped, cut, doubled, removed, overwritten, spliced with another, followed by something. */
export function mutateBytes(bytes: Uint8Array, chance: Chance, other: Uint8Array = bytes): Uint8Array {
  let result = Buffer.from(bytes)
  for (let rounds = 1 + chance.few(); rounds > 0; rounds--) result = mutateOnce(result, chance, other)
  return result
}

function mutateOnce(bytes: Buffer, chance: Chance, other: Uint8Array): Buffer<ArrayBuffer> {
  const copy = Buffer.from(bytes)
  if (copy.length === 0) return Buffer.from(chance.bytes(chance.int(8)))
  const at = chance.int(copy.length)
  const until = Math.min(copy.length, at + 1 + chance.int(chance.pick([1, 8, 64, 4_096])))
  switch (chance.int(9)) {
    case 0:
      copy[at] = (copy[at] as number) ^ (1 << chance.int(8))
      return copy
    case 1:
      copy[at] = chance.pick([0, 0xff, 0x0a, 0x22, 0x80, 0x7f, chance.int(256)])
      return copy
    case 2:
      return copy.subarray(0, at)
    case 3:
      return Buffer.concat([copy.subarray(0, at), copy.subarray(until)])
    case 4:
      return Buffer.concat([copy.subarray(0, until), copy.subarray(at)])
    case 5:
      return Buffer.concat([copy.subarray(0, at), Buffer.from(other).subarray(chance.int(other.length + 1))])
    case 6:
      return Buffer.concat([copy, chance.bytes(1 + chance.int(64))])
    case 7:
      return copy.fill(chance.pick([0, 0xff]), at, until)
    default:
      return Buffer.concat([copy.subarray(0, at), chance.bytes(until - at), copy.subarray(until)])
  }
}
