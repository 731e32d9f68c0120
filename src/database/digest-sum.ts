/** A digest that is added up entry by entry: what `model/digest` defines, over rows that are streamed. */
import type { StateDigest } from '../model/changeset.ts'
import { type DigestEntry, entryHash } from '../model/digest.ts'

const modulus = 1n << 256n

export class DigestSum {
  #sum = 0n

  add(entry: DigestEntry): void {
    this.#sum = (this.#sum + entryHash(entry)) % modulus
  }

  /** The sum of sums. */
  static of(parts: readonly DigestSum[]): DigestSum {
    const total = new DigestSum()
    for (const part of parts) total.#sum = (total.#sum + part.#sum) % modulus
    return total
  }

  toString(): StateDigest {
    return this.#sum.toString(16).padStart(64, '0')
  }
}
