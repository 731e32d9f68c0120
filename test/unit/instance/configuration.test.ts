import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  type Configuration,
  type ConfigurationOptions,
  configurationOf,
  loadConfiguration,
} from '../../../src/instance/configuration.ts'
import { isDavitError } from '../../../src/model/errors.ts'

const url = 'https://dav.example.org/team'

let root: string

beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'davit-configuration-')))
})

afterEach(() => rmSync(root, { recursive: true, force: true }))

/** Writes a file below the test's folder and says where it is. */
function put(path: string, content: string): string {
  const file = join(root, path)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, content)
  return file
}

function load(
  options: ConfigurationOptions,
  environment: Record<string, string | undefined> = {},
  cwd = root,
): Configuration {
  return loadConfiguration({ options, environment, cwd })
}

/** From a `davit.yml` in the current folder, with nothing else said. */
function loadFile(content: string): Configuration {
  put('davit.yml', content)
  return load({})
}

/** The message with which the configuration is refused. */
function refusal(act: () => unknown): string {
  try {
    act()
  } catch (error) {
    if (!isDavitError(error, 'configuration-invalid')) throw error
    return error.message
  }
  throw new Error('it was not refused')
}

const complete = `
instance: desk
workspace: notes
state: elsewhere
remote:
  url: ${url}
  username: ada
  passwordFile: secret
  token: bearer
  ca: ca.pem
  clientCertificate: { cert: cert.pem, key: key.pem }
  concurrency: 3
  timeout: 2m
  upload: 1000
  download: 2000
sync:
  mode: manual
  poll: 30s
  full: 0s
  batch: 10
  retry: { attempts: 2, base: 250ms, max: 1m }
  conflicts: both
  maxDelete: 200
watch: { mode: polling, debounce: 1.5s }
ignore: ['*.tmp']
http: { host: '::1', port: 0, allowRemote: true }
`

describe('values', () => {
  it('a workspace and a URL are enough, and the rest has defaults', () => {
    expect(load({ workspace: 'notes', remote: url })).toEqual({
      file: null,
      instance: hostname(),
      workspace: join(root, 'notes'),
      state: join(root, 'notes/.davit'),
      remote: { url, concurrency: 8, timeoutMs: 30_000, upload: 0, download: 0 },
      sync: {
        mode: 'auto',
        pollMs: 5_000,
        fullMs: 86_400_000,
        batch: 1_000,
        retry: { attempts: 5, baseMs: 500, maxMs: 60_000 },
        conflicts: 'manual',
        maxDelete: { fraction: 0.5, atLeast: 10 },
      },
      watch: { mode: 'native', debounceMs: 200 },
      ignore: [],
      http: { host: '127.0.0.1', port: 7410, allowRemote: false },
      logLevel: 'info',
    })
  })

  it('every key of the file is obeyed, with paths relative to it and secrets without their last line end', () => {
    put('conf/secret', 'open sesame\n')
    put('conf/ca.pem', 'CA')
    put('conf/cert.pem', 'CERT')
    put('conf/key.pem', 'KEY\r\n')
    const file = put('conf/davit.yml', complete)
    expect(load({ config: 'conf/davit.yml' })).toEqual({
      file,
      instance: 'desk',
      workspace: join(root, 'conf/notes'),
      state: join(root, 'conf/elsewhere'),
      remote: {
        url,
        username: 'ada',
        password: 'open sesame',
        token: 'bearer',
        ca: 'CA',
        clientCertificate: { cert: 'CERT', key: 'KEY' },
        concurrency: 3,
        timeoutMs: 120_000,
        upload: 1_000,
        download: 2_000,
      },
      sync: {
        mode: 'manual',
        pollMs: 30_000,
        fullMs: 0,
        batch: 10,
        retry: { attempts: 2, baseMs: 250, maxMs: 60_000 },
        conflicts: 'both',
        maxDelete: { fraction: 0, atLeast: 200 },
      },
      watch: { mode: 'polling', debounceMs: 1_500 },
      ignore: ['*.tmp'],
      http: { host: '::1', port: 0, allowRemote: true },
      logLevel: 'info',
    })
  })

  it.each([
    ['250ms', 250],
    ['5s', 5_000],
    ['1.5 s', 1_500],
    ['10m', 600_000],
    ['24h', 86_400_000],
    ['1d', 86_400_000],
    ['24d', 2_073_600_000],
  ])('%s is %i milliseconds', (text, ms) => {
    expect(load({ workspace: '.', remote: url, poll: text }).sync.pollMs).toBe(ms)
  })

  it.each(['5', '5 minutes', '-5s', '', 's', '5S', '1e3s', '0s', '25d'])(
    "'%s' is no time between two questions",
    (text) => {
      const message = refusal(() => load({ workspace: '.', remote: url, poll: text }))
      expect(message).toMatch(/^--poll: found ".*", expected/)
    },
  )

  it.each([
    ["'25%'", { fraction: 0.25, atLeast: 10 }],
    ["'12.5 %'", { fraction: 0.125, atLeast: 10 }],
    ['200', { fraction: 0, atLeast: 200 }],
    ["'200'", { fraction: 0, atLeast: 200 }],
    ['0', { fraction: 0, atLeast: 0 }],
  ])('maxDelete %s is understood', (text, maxDelete) => {
    const read = loadFile(`workspace: .\nremote: { url: '${url}' }\nsync: { maxDelete: ${text} }\n`)
    expect(read.sync.maxDelete).toEqual(maxDelete)
  })

  it('an object is taken as the file is, without any environment', () => {
    const made = configurationOf({ workspace: 'notes', remote: { url }, sync: { poll: '1m' } }, root)
    expect(made).toEqual({
      ...load({ workspace: 'notes', remote: url, poll: '1m' }),
      file: null,
    })
  })

  it('an object is checked as the file is', () => {
    expect(refusal(() => configurationOf({ workspace: 'notes', remote: { url, timeout: '1' } }, root))).toBe(
      'the configuration: remote.timeout: expected a duration such as 250ms, 5s, 10m or 24h',
    )
  })
})

describe('precedence', () => {
  const file = `
instance: of-file
workspace: of-file
state: of-file-state
remote: { url: 'https://file.example.org', username: of-file, password: of-file }
sync: { mode: manual, poll: 1s, conflicts: local }
http: { host: '127.0.0.2', port: 1 }
`
  const environment = {
    DAVIT_INSTANCE: 'of-environment',
    DAVIT_WORKSPACE: 'of-environment',
    DAVIT_STATE: 'of-environment-state',
    DAVIT_REMOTE: 'https://environment.example.org',
    DAVIT_USERNAME: 'of-environment',
    DAVIT_PASSWORD: 'of-environment',
    DAVIT_MODE: 'auto',
    DAVIT_POLL: '2s',
    DAVIT_CONFLICTS: 'remote',
    DAVIT_HOST: '127.0.0.3',
    DAVIT_PORT: '2',
    DAVIT_TOKEN: 'of-environment',
    DAVIT_LOG_LEVEL: 'error',
  }
  const options: ConfigurationOptions = {
    instance: 'of-options',
    workspace: 'of-options',
    state: 'of-options-state',
    remote: 'https://options.example.org',
    username: 'of-options',
    password: 'of-options',
    mode: 'manual',
    poll: '3s',
    conflicts: 'both',
    host: '127.0.0.4',
    port: 3,
    token: 'of-options',
    logLevel: 'debug',
  }
  /** What each source says, in one shape. */
  function told({ instance, workspace, state, remote, sync, http, logLevel }: Configuration) {
    const { username, password } = remote
    const { mode, pollMs, conflicts } = sync
    const paths = [workspace, state].map((path) => path.slice(root.length + 1))
    return [instance, ...paths, remote.url, username, password, mode, pollMs, conflicts, http, logLevel]
  }
  const ofFile = [
    'of-file',
    'of-file',
    'of-file-state',
    'https://file.example.org',
    'of-file',
    'of-file',
    'manual',
    1_000,
    'local',
    { host: '127.0.0.2', port: 1, allowRemote: false },
    'info',
  ]
  const ofEnvironment = [
    'of-environment',
    'of-environment',
    'of-environment-state',
    'https://environment.example.org',
    'of-environment',
    'of-environment',
    'auto',
    2_000,
    'remote',
    { host: '127.0.0.3', port: 2, allowRemote: false, token: 'of-environment' },
    'error',
  ]
  const ofOptions = [
    'of-options',
    'of-options',
    'of-options-state',
    'https://options.example.org',
    'of-options',
    'of-options',
    'manual',
    3_000,
    'both',
    { host: '127.0.0.4', port: 3, allowRemote: false, token: 'of-options' },
    'debug',
  ]

  it('options win over the environment, which wins over the file', () => {
    const config = put('davit.yml', file)
    expect(told(load({ config }))).toEqual(ofFile)
    expect(told(load({ config }, environment))).toEqual(ofEnvironment)
    expect(told(load({ config, ...options }, environment))).toEqual(ofOptions)
  })

  it('what is undefined among the options, or empty in the environment, says nothing', () => {
    const config = put('davit.yml', file)
    const nothing = Object.fromEntries(Object.keys(options).map((name) => [name, undefined]))
    const empty = Object.fromEntries(Object.keys(environment).map((name) => [name, '']))
    expect(told(load({ config, ...nothing }, empty))).toEqual(ofFile)
  })

  it('the variables of other WebDAV programs are understood, and ours win over them', () => {
    const theirs = {
      WEBDAV_BASE_URL: 'https://dav.example.org/',
      WEBDAV_REMOTE_ROOT: '/team/notes/',
      WEBDAV_USERNAME: 'ada',
      WEBDAV_PASSWORD: 'secret',
    }
    expect(load({ workspace: '.' }, theirs).remote).toMatchObject({
      url: 'https://dav.example.org/team/notes',
      username: 'ada',
      password: 'secret',
    })
    expect(load({ workspace: '.' }, { ...theirs, WEBDAV_REMOTE_ROOT: undefined }).remote.url).toBe(
      'https://dav.example.org',
    )
    expect(load({ workspace: '.' }, { ...theirs, ...environment }).remote).toMatchObject({
      url: 'https://environment.example.org',
      username: 'of-environment',
      password: 'of-environment',
    })
  })

  it('the password file of the environment loses to its password and wins over that of other programs', () => {
    put('secret', 'of-the-file\n')
    const by = { DAVIT_PASSWORD_FILE: 'secret', WEBDAV_PASSWORD: 'theirs' }
    const ask = { workspace: '.', remote: url }
    expect(load(ask, by).remote.password).toBe('of-the-file')
    expect(load(ask, { ...by, DAVIT_PASSWORD: 'ours' }).remote.password).toBe('ours')
  })

  it('a password that is given spares reading the password file', () => {
    put('davit.yml', `workspace: .\nremote: { url: '${url}', passwordFile: absent }\n`)
    expect(load({ password: 'given' }).remote.password).toBe('given')
  })
})

describe('the URL', () => {
  it('credentials are taken out of it and decoded', () => {
    const { remote } = load({ workspace: '.', remote: 'https://ada%40x:p%3Aq@dav.example.org/team/' })
    expect(remote).toMatchObject({ url, username: 'ada@x', password: 'p:q' })
  })

  it('credentials in the URL of the file lose to what the file says beside it', () => {
    const read = loadFile(
      'workspace: .\nremote: { url: "https://ada:old@dav.example.org/team", password: new }\n',
    )
    expect(read.remote).toMatchObject({ url, username: 'ada', password: 'new' })
  })

  it('credentials in the URL of an option win over the file', () => {
    put('davit.yml', `workspace: .\nremote: { url: '${url}', username: ada, passwordFile: absent }\n`)
    expect(load({ remote: 'https://bob:his@other.example.org' }).remote).toMatchObject({
      url: 'https://other.example.org',
      username: 'bob',
      password: 'his',
    })
  })

  it.each([
    ['', 'something that is not a URL'],
    ['secret.example.org/team', 'something that is not a URL'],
    ['ftp://dav.example.org', 'the scheme ftp:'],
    ['https://dav.example.org/?a=b', 'a query or a fragment'],
    ['https://dav.example.org/#a', 'a query or a fragment'],
    ['https://a%zz:secret@dav.example.org/', 'credentials that cannot be decoded'],
  ])("'%s' is refused without being repeated", (remote, found) => {
    const message = refusal(() => load({ workspace: '.', remote }))
    expect(message).toContain(`remote.url: found ${found}, expected`)
    expect(message).not.toContain('secret')
  })
})

describe('what is wrong is named with its place and what is expected', () => {
  const rest = `workspace: .\nremote: { url: '${url}' }\n`

  it.each([
    ['colour: red', 'colour: unknown key, expected one of instance, workspace, state, remote,'],
    ['sync: { pol: 5s }', 'sync.pol: unknown key, expected one of mode, poll, full, batch, retry,'],
    ['sync: { retry: { tries: 1 } }', 'sync.retry.tries: unknown key, expected one of attempts, base, max'],
    ['sync: { poll: 5 }', 'sync.poll: Invalid input: expected string, received number'],
    ['sync: { poll: 0s }', 'sync.poll: expected more than 0'],
    ['sync: { full: 25d }', 'sync.full: expected at most 24 days'],
    ['sync: { mode: sometimes }', 'sync.mode: Invalid option: expected one of "auto"|"manual"'],
    ['sync: { batch: 0 }', 'sync.batch: Too small: expected number to be >=1'],
    ['sync: { maxDelete: half }', "sync.maxDelete: maxDelete is 'half'"],
    ["sync: { maxDelete: '101%' }", "sync.maxDelete: maxDelete is '101%'"],
    ['sync: { maxDelete: true }', 'sync.maxDelete: expected a percentage such as 50%, or a number of files'],
    ['sync: { maxDelete: -1 }', 'sync.maxDelete: Too small: expected number to be >=0'],
    ['ignore: [1]', 'ignore.0: Invalid input: expected string, received number'],
    ["ignore: '*.tmp'", 'ignore: Invalid input: expected array, received string'],
    ['http: { port: 70000 }', 'http.port: Too big: expected number to be <=65535'],
    ['http: { allowRemote: yes please }', 'http.allowRemote: Invalid input: expected boolean'],
    ['state: ""', 'state: Too small: expected string to have >=1 characters'],
  ])('%s', (line, message) => {
    const file = join(root, 'davit.yml')
    expect(refusal(() => loadFile(`${rest}${line}\n`))).toContain(`${file}: ${message}`)
  })

  it('everything that is wrong is told at once', () => {
    expect(refusal(() => loadFile('a: 1\nb: 2\nsync: { poll: soon }\n'))).toMatch(
      /sync\.poll: expected a duration.*; a: unknown key.*; b: unknown key/,
    )
  })

  it.each([
    ['bad indentation', 'remote:\n url: a\n  username: b\n'],
    ['a key that is there twice', 'state: a\nstate: b\n'],
    ['too many aliases', `a: &a [x]\nb: [${Array.from({ length: 200 }, () => '*a').join(', ')}]\n`],
  ])('%s is no YAML', (_name, content) => {
    const message = refusal(() => loadFile(content))
    expect(message).toMatch(/davit\.yml is not valid YAML: \S+/)
    expect(message).not.toContain('\n')
  })

  it('a list is no configuration, and an empty file says nothing', () => {
    expect(refusal(() => loadFile('- a\n'))).toContain('the file: Invalid input: expected object')
    put('davit.yml', '# nothing yet\n')
    expect(load({ workspace: '.', remote: url, config: 'davit.yml' }).remote.url).toBe(url)
  })

  it.each([
    ['passwordFile: absent', 'remote.passwordFile', 'there is no such file'],
    ['passwordFile: folder', 'remote.passwordFile', 'it is a folder'],
    ['ca: absent', 'remote.ca', 'there is no such file'],
    ['clientCertificate: { cert: absent, key: absent }', 'remote.clientCertificate.cert', 'there is no such'],
  ])('%s cannot be read', (line, place, reason) => {
    mkdirSync(join(root, 'folder'))
    const message = refusal(() => loadFile(`workspace: .\nremote:\n  url: ${url}\n  ${line}\n`))
    expect(message).toContain(`${place}: ${root}`)
    expect(message).toContain(`cannot be read: ${reason}`)
  })

  it('a password file of the environment that is not there is named by its variable', () => {
    const message = refusal(() => load({ workspace: '.', remote: url }, { DAVIT_PASSWORD_FILE: 'absent' }))
    expect(message).toContain(`DAVIT_PASSWORD_FILE: ${join(root, 'absent')} cannot be read`)
  })

  it.each<[ConfigurationOptions, string]>([
    [{ mode: 'now' }, '--mode: found "now", expected'],
    [{ conflicts: 'mine' }, '--conflicts: found "mine", expected'],
    [{ logLevel: 'loud' }, '--log-level: found "loud", expected'],
    [{ port: 'http' }, '--port: found "http", expected'],
    [{ port: '' }, '--port: found "", expected'],
    [{ port: '80.5' }, '--port: found "80.5", expected'],
    [{ port: 65_536 }, '--port: found 65536, expected'],
    [{ instance: 'remote' }, 'instance: found "remote", expected a name of 1 to 100 characters'],
    [{ instance: ' ' }, 'instance: found " ", expected a name of 1 to 100 characters'],
    [{ workspace: '' }, '--workspace: found nothing, expected a path'],
    [{ state: '' }, '--state: found nothing, expected a path'],
    [{ config: '' }, '--config: found nothing, expected a path'],
    [{ config: 'absent.yml' }, '--config: found no file at'],
  ])('the option %o', (option, message) => {
    expect(refusal(() => load({ workspace: '.', remote: url, ...option }))).toContain(message)
  })

  it('a workspace and a URL are needed', () => {
    expect(refusal(() => load({ remote: url }))).toContain('workspace: found nothing, expected the folder')
    expect(refusal(() => load({ workspace: '.' }))).toContain('remote.url: found nothing, expected the URL')
  })
})

describe('the file that is read', () => {
  /** A configuration that is known by its instance's name. */
  const named = (name: string) => `instance: ${name}\nremote: { url: '${url}' }\n`
  const withWorkspace = (name: string) => `workspace: .\n${named(name)}`

  beforeEach(() => {
    put('work/.davit/davit.yml', named('own'))
    put('work/davit.yml', withWorkspace('replicated'))
    put('work/below/davit.yml', withWorkspace('replicated below'))
    put('work/below/deep/note.md', '')
    put('plain/davit.yml', withWorkspace('plain'))
    put('state/davit.yml', withWorkspace('of the state'))
    put('other.yml', withWorkspace('other'))
  })

  const instanceAt = (
    cwd: string,
    options: ConfigurationOptions = {},
    environment: Record<string, string> = {},
  ) => load(options, environment, join(root, cwd)).instance

  it('a `davit.yml` among the files of a workspace with a configuration of its own is not obeyed', () => {
    expect(instanceAt('work')).toBe('own')
    expect(instanceAt('work/below')).toBe('own')
  })

  it('the configuration is found from anywhere in the workspace, which is where it lies', () => {
    const found = load({}, {}, join(root, 'work/below/deep'))
    expect(found).toMatchObject({
      file: join(root, 'work/.davit/davit.yml'),
      workspace: join(root, 'work'),
      state: join(root, 'work/.davit'),
    })
  })

  it('outside of any workspace it is `davit.yml` of the current folder, not of one above', () => {
    expect(instanceAt('plain')).toBe('plain')
    mkdirSync(join(root, 'plain/below'))
    expect(refusal(() => instanceAt('plain/below'))).toContain('workspace: found nothing')
    expect(load({ workspace: '.', remote: url }, {}, join(root, 'plain/below')).file).toBeNull()
  })

  it('a file that is named wins over all others, by option and by variable', () => {
    expect(instanceAt('work', { config: '../other.yml' })).toBe('other')
    expect(instanceAt('work', {}, { DAVIT_CONFIG: '../other.yml' })).toBe('other')
    expect(instanceAt('work', { config: '../other.yml' }, { DAVIT_CONFIG: 'absent.yml' })).toBe('other')
    expect(instanceAt('work', { config: '../other.yml', state: '../state', workspace: '.' })).toBe('other')
  })

  it('the state folder that is named has the next word', () => {
    expect(instanceAt('work', { state: '../state' })).toBe('of the state')
    expect(instanceAt('work', {}, { DAVIT_STATE: '../state' })).toBe('of the state')
    expect(instanceAt('plain', { state: '../state', workspace: '../work' })).toBe('of the state')
    expect(instanceAt('work/below', { state: '../../absent' })).toBe('own')
  })

  it('the workspace that is named is asked, and no other folder', () => {
    expect(instanceAt('plain', { workspace: '../work' })).toBe('own')
    expect(instanceAt('plain', {}, { DAVIT_WORKSPACE: '../work' })).toBe('own')
    expect(load({ workspace: '.', remote: url }, {}, join(root, 'plain')).file).toBeNull()
  })
})
