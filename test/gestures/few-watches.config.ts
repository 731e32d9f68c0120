import { defineConfig } from 'vitest/config'

/** For the tests that are run within a limit of the system; see limits.test.ts. */
export default defineConfig({
  test: { include: ['test/gestures/few-watches.ts'], testTimeout: 60_000, pool: 'forks', maxWorkers: 1 },
})
