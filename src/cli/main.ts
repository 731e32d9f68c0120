#!/usr/bin/env node
/** The `davit` command. */
import { processIo } from './io.ts'
import { runProgram } from './program.ts'

const io = processIo()
// The reader of a pipe may go away before we are done (`davit runs | head`): that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') io.exit(0)
  throw error
})
process.exitCode = await runProgram(process.argv.slice(2), io, async () => {
  return (await import('./load-engine.ts')).loadEngine()
})
