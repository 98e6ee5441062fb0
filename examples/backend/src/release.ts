/** What this process is: the kit says so in the environment. */
export interface Release {
  service: string;
  release: string;
  colour: string;
}

export function releaseOf(environment: NodeJS.ProcessEnv): Release {
  return {
    service: environment.GREENLIGHT_SERVICE ?? 'backend',
    release: environment.GREENLIGHT_RELEASE ?? 'none',
    colour: environment.GREENLIGHT_COLOUR ?? 'none',
  };
}
