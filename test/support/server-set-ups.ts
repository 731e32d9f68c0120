/**
 * How each real server is started by itself, without a service manager: the programs it needs, its configuration and
 * its command line. Everything it writes lies below one temporary folder.
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chown, mkdir, rename, writeFile } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'

export interface SetUpInput {
  /** Empty; for configuration, logs and locks. */
  readonly folder: string
  /** The folder to serve, on the same file system. */
  readonly data: string
  readonly port: number
  /** Both or none; servers whose set-up has no `password` are never given any. */
  readonly username: string | undefined
  readonly password: string | undefined
}

export interface SetUp {
  readonly programs: readonly string[]
  /** Further files that a package brings. */
  readonly files: readonly string[]
  /** Whether it can be asked to want a user and a password. */
  readonly password: boolean
  /** Writes what it needs and returns the program with its arguments; it stays in the foreground. */
  prepare(input: SetUpInput): Promise<{ command: string; args: string[]; env?: Record<string, string> }>
}

const run = promisify(execFile)
/** Started by root, the servers work as this user of Debian; started by anyone else, as that user. */
const worker = 'www-data'
const isRoot = process.getuid?.() === 0

/** The full path of a program, also of those that only root's PATH has; `undefined` when it is not installed. */
export function findProgram(name: string): string | undefined {
  const { PATH = '' } = process.env
  const folders = [...PATH.split(delimiter), '/usr/sbin', '/sbin', '/usr/local/sbin']
  return folders.map((folder) => join(folder, name)).find((file) => existsSync(file))
}

async function giveToWorker(...paths: string[]): Promise<void> {
  if (!isRoot) return
  const [uid, gid] = await Promise.all(
    ['-u', '-g'].map(async (flag) => Number((await run('id', [flag, worker])).stdout)),
  )
  for (const path of paths) await chown(path, uid ?? 0, gid ?? 0)
}

async function makeFolders(folder: string, ...names: string[]): Promise<string[]> {
  const made = names.map((name) => join(folder, name))
  for (const path of made) await mkdir(path)
  return made
}

/** A line of an htpasswd file in the form that Apache, nginx and lighttpd all read. */
function htpasswd(username: string, password: string): string {
  return `${username}:{SHA}${createHash('sha1').update(password).digest('base64')}\n`
}

const apacheModules = '/usr/lib/apache2/modules'

export const setUps = {
  apache: {
    programs: ['apache2'],
    files: [`${apacheModules}/mod_dav_fs.so`, '/etc/mime.types'],
    password: true,
    async prepare({ folder, data, port, username, password }) {
      await giveToWorker(data, ...(await makeFolders(folder, 'lockdb')))
      const guarded = username !== undefined && password !== undefined
      if (guarded) await writeFile(join(folder, 'users'), htpasswd(username, password))
      const modules = ['mpm_event', 'authz_core', 'dav', 'dav_fs', 'mime']
      if (guarded) modules.push('authn_core', 'authn_file', 'authz_user', 'auth_basic')
      const configuration = join(folder, 'apache.conf')
      await writeFile(
        configuration,
        `ServerRoot ${folder}
ServerName localhost
Listen 127.0.0.1:${port}
PidFile ${folder}/apache.pid
ErrorLog ${folder}/apache.log
Mutex file:${folder} default
${isRoot ? `User ${worker}\nGroup ${worker}` : ''}
${modules.map((name) => `LoadModule ${name}_module ${apacheModules}/mod_${name}.so`).join('\n')}
TypesConfig /etc/mime.types
DavLockDB ${folder}/lockdb/DavLock
DocumentRoot ${data}
MaxKeepAliveRequests 0
<Directory ${data}>
  Dav On
  ${
    guarded
      ? `AuthType Basic\n  AuthName test\n  AuthBasicProvider file\n  AuthUserFile ${folder}/users\n  Require valid-user`
      : 'Require all granted'
  }
</Directory>
`,
      )
      return { command: 'apache2', args: ['-f', configuration, '-D', 'FOREGROUND'] }
    },
  },

  nginx: {
    programs: ['nginx'],
    files: ['/usr/lib/nginx/modules/ngx_http_dav_ext_module.so'],
    password: true,
    async prepare({ folder, data, port, username, password }) {
      // The bodies lie on the file system of the data, so that PUT ends in a rename.
      await giveToWorker(data, ...(await makeFolders(folder, 'body', 'other')))
      const guarded = username !== undefined && password !== undefined
      if (guarded) await writeFile(join(folder, 'users'), htpasswd(username, password))
      const configuration = join(folder, 'nginx.conf')
      const unused = ['proxy', 'fastcgi', 'uwsgi', 'scgi']
      await writeFile(
        configuration,
        `load_module /usr/lib/nginx/modules/ngx_http_dav_ext_module.so;
${isRoot ? `user ${worker};` : ''}
worker_processes 2; daemon off; pid ${folder}/nginx.pid; error_log ${folder}/nginx.log;
events { worker_connections 512; }
http {
  access_log off; client_max_body_size 0; client_body_temp_path ${folder}/body; keepalive_requests 100000;
  ${unused.map((name) => `${name}_temp_path ${folder}/other/${name};`).join(' ')}
  dav_ext_lock_zone zone=dav:10m timeout=60m;
  server {
    listen 127.0.0.1:${port}; root ${data};
    location / {
      ${guarded ? `auth_basic test; auth_basic_user_file ${folder}/users;` : ''}
      dav_methods PUT DELETE MKCOL COPY MOVE;
      dav_ext_methods PROPFIND OPTIONS LOCK UNLOCK; dav_ext_lock zone=dav;
    }
  }
}
`,
      )
      return {
        command: 'nginx',
        args: ['-c', configuration, '-p', `${folder}/`, '-e', join(folder, 'nginx.log')],
      }
    },
  },

  lighttpd: {
    programs: ['lighttpd'],
    files: ['/usr/lib/lighttpd/mod_webdav.so'],
    password: true,
    async prepare({ folder, data, port, username, password }) {
      await giveToWorker(data, ...(await makeFolders(folder, 'log', 'up', 'db')))
      const guarded = username !== undefined && password !== undefined
      if (guarded) await writeFile(join(folder, 'users'), `${username}:${password}\n`)
      const configuration = join(folder, 'lighttpd.conf')
      await writeFile(
        configuration,
        `server.modules = (${guarded ? '"mod_auth", "mod_authn_file", ' : ''}"mod_webdav")
server.port = ${port}
server.bind = "127.0.0.1"
server.document-root = "${data}"
server.errorlog = "${folder}/log/lighttpd.log"
server.upload-dirs = ("${folder}/up")
server.max-keep-alive-requests = 100000
${isRoot ? `server.username = "${worker}"\nserver.groupname = "${worker}"` : ''}
mimetype.assign = ("" => "application/octet-stream")
webdav.activate = "enable"
webdav.sqlite-db-name = "${folder}/db/webdav.db"
${
  guarded
    ? `auth.backend = "plain"
auth.backend.plain.userfile = "${folder}/users"
auth.require = ("/" => ("method" => "basic", "realm" => "test", "require" => "valid-user"))`
    : ''
}
`,
      )
      return { command: 'lighttpd', args: ['-D', '-f', configuration] }
    },
  },

  rclone: {
    programs: ['rclone'],
    files: [],
    password: true,
    async prepare({ data, port, username, password }) {
      const guarded = username !== undefined && password !== undefined
      const guard = guarded ? ['--user', username, '--pass', password] : []
      const address = ['--addr', `127.0.0.1:${port}`, '--config', '/dev/null']
      return { command: 'rclone', args: ['serve', 'webdav', data, ...address, ...guard] }
    },
  },

  xnet: {
    programs: ['go'],
    files: ['/usr/share/gocode/src/golang.org/x/net/webdav/webdav.go'],
    password: false,
    async prepare({ folder, data, port }) {
      return { command: await buildXnet(folder), args: [`127.0.0.1:${port}`, data] }
    },
  },

  sabre: {
    programs: ['php'],
    files: ['/usr/share/php/Sabre/DAV/Server.php'],
    password: false,
    async prepare({ folder, data, port }) {
      await mkdir(join(folder, 'locks'))
      const script = join(folder, 'server.php')
      await writeFile(
        script,
        `<?php
error_reporting(0);
spl_autoload_register(function ($class) {
  $file = '/usr/share/php/' . str_replace('\\\\', '/', $class) . '.php';
  if (is_file($file)) require $file;
});
require_once '/usr/share/php/Sabre/HTTP/Request.php';
$server = new Sabre\\DAV\\Server(new Sabre\\DAV\\FSExt\\Directory('${data}'));
$server->setBaseUri('/');
$server->addPlugin(new Sabre\\DAV\\Locks\\Plugin(new Sabre\\DAV\\Locks\\Backend\\File('${folder}/locks/locks')));
$server->exec();
`,
      )
      return {
        command: 'php',
        args: ['-d', 'display_errors=0', '-S', `127.0.0.1:${port}`, script],
        env: { PHP_CLI_SERVER_WORKERS: '8' },
      }
    },
  },

  phodav: {
    programs: ['chezdav'],
    files: [],
    password: false,
    async prepare({ data, port }) {
      return { command: 'chezdav', args: ['--local', '--no-mdns', '-p', String(port), '-P', data] }
    },
  },
} satisfies Record<string, SetUp>

const xnetSource = `package main

import (
	"log"
	"net/http"
	"os"

	"golang.org/x/net/webdav"
)

func main() {
	handler := &webdav.Handler{FileSystem: webdav.Dir(os.Args[2]), LockSystem: webdav.NewMemLS()}
	log.Fatal(http.ListenAndServe(os.Args[1], handler))
}
`

/** Builds the little server once for this source and user; later calls find the program in the temporary folder. */
async function buildXnet(folder: string): Promise<string> {
  const fingerprint = createHash('sha256').update(xnetSource).digest('hex').slice(0, 16)
  const cache = join(tmpdir(), `davit-test-servers-${userInfo().uid}`)
  const program = join(cache, `xnet-${fingerprint}`)
  if (existsSync(program)) return program
  await mkdir(cache, { recursive: true, mode: 0o700 })
  const source = join(folder, 'main.go')
  const built = join(folder, 'xnet')
  await writeFile(source, xnetSource)
  const env = {
    ...process.env,
    GO111MODULE: 'off',
    GOPATH: '/usr/share/gocode',
    GOCACHE: join(cache, 'go-build'),
    GOFLAGS: '',
  }
  await run(findProgram('go') ?? 'go', ['build', '-o', built, source], { env })
  // Test files start servers side by side: a program appears whole or not at all.
  const fresh = `${program}.${process.pid}`
  await run('cp', [built, fresh])
  await rename(fresh, program)
  return program
}
