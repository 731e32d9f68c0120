/** A queue of turns: one piece of work at a time, in the order in which they were asked for. */

export class Turns {
  private readonly waiting: (() => void)[] = []
  private isTaken = false

  /** Waits for its turn, works, and hands the turn on. */
  async take<T>(work: () => Promise<T>): Promise<T> {
    await this.begin()
    try {
      return await work()
    } finally {
      this.end()
    }
  }

  /** Within a turn: lets everybody who waits have theirs, and goes on after them. */
  async yield(): Promise<void> {
    if (this.waiting.length === 0) return
    const again = this.begin()
    this.end()
    await again
  }

  private begin(): Promise<void> {
    if (!this.isTaken) {
      this.isTaken = true
      return Promise.resolve()
    }
    return new Promise((resolve) => {
      this.waiting.push(resolve)
    })
  }

  private end(): void {
    const next = this.waiting.shift()
    if (next === undefined) this.isTaken = false
    else next()
  }
}
