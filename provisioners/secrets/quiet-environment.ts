/** Names of variables whose values are secret, by the words that vendors and this program name them with. */
const secretName = /PASSWORD|PASSPHRASE|SECRET|TOKEN|API_?KEY|CREDENTIAL/i;

export type Environment = Readonly<Record<string, string | undefined>>;

export function isSecretVariable(name: string): boolean {
  return secretName.test(name);
}

/**
 * The environment without secrets, for programs that outlive the operation which they were started by: who may look at a process of
 * this user reads its variables for as long as it runs, and a hypervisor or an engine hands them on to its children.
 */
export function quietEnvironment(environment: Environment): Environment {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !isSecretVariable(name)));
}

/** For libraries that start a process with this one's environment whatever they are told: calls `start`, which must have started it when it returns. */
export function startedQuietly<T>(start: () => T): T {
  const secrets = Object.entries(process.env).filter(([name]) => isSecretVariable(name));
  for (const [name] of secrets) Reflect.deleteProperty(process.env, name);
  try {
    return start();
  } finally {
    for (const [name, value] of secrets) process.env[name] = value;
  }
}
