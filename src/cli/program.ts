/**
 * The command line: names, options, help. What a command does is loaded only when it is called, so that `davit --help`
 * loads little.
 */
import { readFileSync } from 'node:fs'
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { pageRowsMax } from '../model/limits.ts'
import type { CommandContext } from './command.ts'
import type { Engine } from './engine.ts'
import { exitCodes } from './exit-codes.ts'
import type { Io } from './io.ts'
import { reportError } from './report-error.ts'

interface Options {
  readonly json?: boolean
  readonly [name: string]: unknown
}

const workspaceOptions: readonly (readonly [flags: string, description: string])[] = [
  ['--config <file>', 'configuration file (DAVIT_CONFIG)'],
  ['--workspace <dir>', 'folder to replicate (DAVIT_WORKSPACE)'],
  ['--state <dir>', 'state folder, by default .davit of the workspace (DAVIT_STATE)'],
  ['--remote <url>', 'WebDAV folder that all instances share (DAVIT_REMOTE)'],
  ['--username <name>', 'user of the WebDAV server (DAVIT_USERNAME)'],
  ['--password <password>', 'their password (DAVIT_PASSWORD, DAVIT_PASSWORD_FILE)'],
  ['--instance <name>', 'name of this instance (DAVIT_INSTANCE)'],
  ['--port <port>', 'port of the API, 0 for any free one (DAVIT_PORT)'],
  ['--host <host>', 'address of the API (DAVIT_HOST)'],
  ['--token <token>', 'token of the API (DAVIT_TOKEN)'],
  ['--mode <mode>', 'auto or manual'],
  ['--poll <time>', 'how often to look at the remote, such as 5s'],
  ['--conflicts <policy>', 'manual, merge, local, remote, both or newest'],
  ['--log-level <level>', 'error, info or debug'],
]
/** Common options by their names in camel case: these are settings, all others are the command's own. */
const settingNames: readonly string[] = workspaceOptions.map(([flags]) => new Option(flags).attributeName())

function wholeNumber(max: number): (given: string) => number {
  return (given) => {
    const number = Number(given)
    if (!/^[0-9]+$/.test(given) || number > max)
      throw new InvalidArgumentError(`Not a number from 0 to ${max}.`)
    return number
  }
}

function collect(given: string, before: readonly string[]): string[] {
  return [...before, given]
}

/** The one common option of commands without a workspace; what else they have is theirs. */
function pickJson({ json }: { readonly json?: boolean | undefined }): Options {
  return json === true ? { json } : {}
}

function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}

/**
 * Runs a command.
 *
 * @param argv the arguments after the program's name.
 * @param loadEngine called when the first command needs it, never for help.
 * @returns the exit code. Never rejects.
 */
export async function runProgram(
  argv: readonly string[],
  io: Io,
  loadEngine: () => Promise<Engine>,
): Promise<number> {
  let exitCode: number = exitCodes.inSync
  const program = new Command('davit')
    .description('Replicates a folder among any number of instances through one plain WebDAV server.')
    .exitOverride()
    .showHelpAfterError('Add --help to see what there is.')
    .configureOutput({
      writeOut: (text) => void io.stdout.write(text),
      writeErr: (text) => void io.stderr.write(text),
      outputError: (text, write) => write(text.replace(/^error: /, 'davit: ')),
    })

  async function run(options: Options, act: (context: CommandContext) => Promise<number>): Promise<void> {
    const settings = Object.fromEntries(
      settingNames.filter((name) => options[name] !== undefined).map((name) => [name, options[name]]),
    )
    exitCode = await act({ io, engine: await loadEngine(), json: options.json === true, settings })
  }

  function command(parent: Command, name: string, description: string): Command {
    const made = parent.command(name).description(description)
    for (const [flags, text] of workspaceOptions) made.option(flags, text)
    return made.option('--json', 'one JSON document on standard output')
  }

  command(program, 'init', 'check the remote, join its store or create it, write the configuration').action(
    (options: Options) => run(options, async (c) => (await import('./commands/init.ts')).init(c)),
  )

  command(program, 'serve', 'keep the workspace in sync and serve the API until SIGTERM or SIGINT')
    .option('--create', 'set up what is missing: the state, and the store')
    .option('--expose', 'allow a host that other machines reach, without encryption')
    .action((options: Options & { create?: boolean; expose?: boolean }) =>
      run(options, async (c) => (await import('./commands/serve.ts')).serve(c, options)),
    )

  command(program, 'sync', 'replicate once')
    .argument('[paths...]', 'only these and what is below them')
    .option('--create', 'set up what is missing: the state, and the store')
    .option('--full', "read every file's attributes anew")
    .option('--force', 'skip the quick check and allow many deletions, this time')
    .option('--dry-run', 'decide, but change nothing')
    .action(
      (
        paths: string[],
        options: Options & { create?: boolean; full?: boolean; force?: boolean; dryRun?: boolean },
      ) => run(options, async (c) => (await import('./commands/sync.ts')).sync(c, options, paths)),
    )

  command(program, 'status', 'where this instance stands').action((options: Options) =>
    run(options, async (c) => (await import('./commands/status.ts')).status(c)),
  )

  command(program, 'runs', 'history of runs')
    .option('--limit <number>', 'how many', wholeNumber(pageRowsMax), 20)
    .action((options: Options & { limit: number }) =>
      run(options, async (c) => (await import('./commands/runs.ts')).runs(c, options)),
    )

  const conflicts = program.command('conflicts').description('conflicts that wait for a decision')
  command(conflicts, 'list', 'open conflicts').action((options: Options) =>
    run(options, async (c) => (await import('./commands/conflicts.ts')).listConflicts(c)),
  )
  command(conflicts, 'show', 'the sides of a conflict')
    .argument('<id>', 'the id, or a beginning of it that is unique')
    .option('--side <name>', "write a side's content: base, local, remote, merged or an instance's name")
    .action((id: string, options: Options & { side?: string }) =>
      run(options, async (c) => (await import('./commands/conflicts.ts')).showConflict(c, id, options)),
    )
  command(conflicts, 'resolve', 'settle a conflict')
    .argument('<id>', 'the id, or a beginning of it that is unique')
    .requiredOption('--take <side>', 'local, remote, both or merge')
    .option('--candidate <name>', "the instance whose side 'local' means")
    .option('--content <file>', 'the merged content')
    .action((id: string, options: Options & { take: string }) =>
      run(options, async (c) => (await import('./commands/conflicts.ts')).resolveConflict(c, id, options)),
    )

  command(program, 'label', 'labels: kept in the index, never in the file')
    .argument('<paths...>', 'files of the workspace')
    .option('--add <label>', 'add it; may be repeated', collect, [])
    .option('--remove <label>', 'remove it; may be repeated', collect, [])
    .action((paths: string[], options: Options & { add: string[]; remove: string[] }) =>
      run(options, async (c) => (await import('./commands/label.ts')).label(c, options, paths)),
    )

  command(program, 'verify', 'compare the index with the workspace and with the remote')
    .option('--deep', 'hash every content anew')
    .option('--repair', 'repair what can be')
    .action((options: Options & { deep?: boolean; repair?: boolean }) =>
      run(options, async (c) => (await import('./commands/verify.ts')).verify(c, options)),
    )

  command(program, 'doctor', 'measure what the server really does, and look at this machine').action(
    (options: Options) => run(options, async (c) => (await import('./commands/doctor.ts')).doctor(c)),
  )

  const recover = program.command('recover').description('after the store was rolled back or replaced')
  for (const [choice, text] of [
    ['republish', 'give the store what this instance knows'],
    ['adopt', 'take the state of the store; what is only here is kept'],
  ] as const) {
    command(recover, choice, text).action((options: Options) =>
      run(options, async (c) => (await import('./commands/recover.ts')).recover(c, choice)),
    )
  }

  program
    .command('webdav')
    .description('the embedded WebDAV server by itself')
    .requiredOption('--root <dir>', 'folder to serve')
    .option('--port <port>', 'port, 0 for any free one', wholeNumber(65_535), 0)
    .option('--host <host>', 'address; any other than loopback needs a username')
    .option('--username <name>', 'ask for this user; without it anyone on this machine is served')
    .option('--password <password>', 'and this password')
    .option('--json', 'one JSON document on standard output')
    .action(({ json, ...rest }: Options & { root: string; port: number }) =>
      run(pickJson({ json }), async (c) => (await import('./commands/webdav.ts')).webdav(c, rest)),
    )

  program
    .command('demo')
    .description('a WebDAV server and two instances on sample workspaces')
    .option('--directory <dir>', 'where to keep them', './demo')
    .option('--json', 'one JSON document on standard output')
    .action((options: Options & { directory: string }) =>
      run(pickJson(options), async (c) => (await import('./commands/demo.ts')).demo(c, options)),
    )

  if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-V')) {
    io.stdout.write(`${version()}\n`)
    return exitCodes.inSync
  }
  program.addHelpText('after', '\ndavit COMMAND --help tells more. davit --version prints the version.')
  try {
    await program.parseAsync(withDefaultSubcommand(argv), { from: 'user' })
    return exitCode
  } catch (error) {
    if (!(error instanceof CommanderError)) return reportError(io, error, argv.includes('--json'))
    // Commander has said what is wrong, or printed the help that was asked for.
    const isHelp = error.exitCode === 0
    if (!isHelp && argv.includes('--json')) {
      const problem = {
        type: 'urn:davit:problem:usage',
        title: error.message.replace(/^error: /, ''),
        code: 'usage',
        exitCode: 2,
      }
      io.stdout.write(`${JSON.stringify(problem, null, 2)}\n`)
    }
    return isHelp ? exitCodes.inSync : exitCodes.usage
  }
}

/** `davit conflicts` lists them, with the options of `list`. */
function withDefaultSubcommand(argv: readonly string[]): string[] {
  const [first, second] = argv
  const isBare =
    first === 'conflicts' &&
    (second === undefined || (second.startsWith('-') && second !== '--help' && second !== '-h'))
  return isBare ? ['conflicts', 'list', ...argv.slice(1)] : [...argv]
}
