// Makes the built command executable, so that `dist/cli/main.js` can be run as it is.
import { chmodSync, existsSync } from 'node:fs'

const command = new URL('../dist/cli/main.js', import.meta.url)
if (existsSync(command)) chmodSync(command, 0o755)
