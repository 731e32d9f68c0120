/** Chance from a seed, in streams that do not disturb each other. */
import type { Random } from '../../src/model/clock.ts'
import { createSeededRandom } from '../support/virtual-clock.ts'

export interface Chance extends Random {
  /** True with this probability. */
  happens(probability: number): boolean
  /** A whole number from `min` to `max`, both included. */
  between(min: number, max: number): number
  pick<T>(from: readonly T[]): T
}

/** The stream of that name of a seed. */
export function createChance(seed: number, stream: string): Chance {
  // FNV-1a over the name, so that neighbouring seeds have nothing in common either.
  let mixed = (seed ^ 0x811c9dc5) >>> 0
  for (let index = 0; index < stream.length; index++)
    mixed = Math.imul(mixed ^ stream.charCodeAt(index), 0x01000193) >>> 0
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b) >>> 0
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35) >>> 0
  const random = createSeededRandom((mixed ^ (mixed >>> 16)) >>> 0)
  const between = (min: number, max: number) => min + Math.floor(random.fraction() * (max - min + 1))
  return {
    ...random,
    happens: (probability) => random.fraction() < probability,
    between,
    pick: (from) => from[between(0, from.length - 1)] as (typeof from)[number],
  }
}
