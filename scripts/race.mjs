// Eight instances commit at once against real servers, and each one's share is shown:
//   node scripts/race.mjs [SECONDS] [SERVER…]      by default 60 seconds on apache and rclone
import { spawnSync } from 'node:child_process'

const [seconds = '60', ...servers] = process.argv.slice(2)
if (!(Number(seconds) > 0)) {
  console.error('usage: node scripts/race.mjs [SECONDS] [SERVER…]')
  process.exit(2)
}
const names = servers.length > 0 ? servers : ['apache', 'rclone']
const { status } = spawnSync(
  process.execPath,
  ['node_modules/vitest/vitest.mjs', 'run', 'test/servers/race.test.ts', '-t', `on (${names.join('|')}) `],
  {
    cwd: new URL('..', import.meta.url),
    env: { ...process.env, DAVIT_RACE_SECONDS: seconds, DAVIT_REQUIRE_SERVERS: '1' },
    stdio: 'inherit',
  },
)
process.exit(status ?? 1)
