/** Choices from a seed: the same seed and number give the same object, on every machine. */
import { createSeededRandom } from '../support/virtual-clock.ts'

export class Chance {
  private readonly fraction: () => number

  constructor(seed: number, number: number) {
    // Neighbouring numbers must not give neighbouring sequences.
    this.fraction = createSeededRandom(
      Math.imul(seed, 0x9e3779b1) ^ Math.imul(number + 1, 0x85ebca6b),
    ).fraction
  }

  /** Itself, once the choice of the kind was taken from it. */
  after(): this {
    this.fraction()
    return this
  }

  /** A whole number from 0 to `below` − 1. */
  int(below: number): number {
    return Math.floor(this.fraction() * below)
  }

  maybe(probability: number): boolean {
    return this.fraction() < probability
  }

  pick<T>(values: readonly T[]): T {
    return values[this.int(values.length)] as T
  }

  shuffle<T>(values: readonly T[]): T[] {
    const rest = [...values]
    return values.map(() => rest.splice(this.int(rest.length), 1)[0] as T)
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.int(256))
  }

  hex(digits: number): string {
    return Array.from({ length: digits }, () => this.int(16).toString(16)).join('')
  }

  /** 0 mostly, 1 often, a few seldom. */
  few(): number {
    return this.pick([0, 0, 0, 1, 1, 2, 3])
  }
}
