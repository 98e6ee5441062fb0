import { Injectable } from '@nestjs/common';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { Client } from 'pg';

/** Milliseconds that connecting and a query may take: less than the load balancer waits. */
const LONGEST = 5_000;

/**
 * The database, if there is one. DATABASE_HOST and DATABASE_SECRET (the ARN of RDS's own secret) name it, or
 * DATABASE_URL alone does. RDS changes the password by itself, so it is read for each connection and never kept.
 */
@Injectable()
export class Database {
  isThere(): boolean {
    return Boolean(process.env.DATABASE_URL ?? process.env.DATABASE_SECRET);
  }

  /** The database's own time: a query that needs no table. */
  async time(): Promise<Date> {
    const client = new Client({ ...(await this.whereTo()), connectionTimeoutMillis: LONGEST, query_timeout: LONGEST });
    await client.connect();
    try {
      const { rows } = await client.query<{ now: Date }>('select now() as now');
      const [row] = rows;
      if (row === undefined) throw new Error('the database answered without a row');
      return row.now;
    } finally {
      await client.end();
    }
  }

  private async whereTo() {
    const { DATABASE_URL, DATABASE_SECRET, DATABASE_HOST, DATABASE_NAME } = process.env;
    if (DATABASE_URL !== undefined) return { connectionString: DATABASE_URL };
    const answer = await new SecretsManagerClient({}).send(new GetSecretValueCommand({ SecretId: DATABASE_SECRET }));
    const { username, password } = JSON.parse(answer.SecretString ?? '{}') as { username?: string; password?: string };
    // RDS signs with Amazon's own authority, which Node does not know; inside the VPC the security group is the guard.
    const ssl = { rejectUnauthorized: false };
    return { host: DATABASE_HOST, database: DATABASE_NAME ?? 'postgres', user: username, password, ssl };
  }
}
