import 'reflect-metadata';
import type { Server, ServerResponse } from 'node:http';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { NextFunction, Request, Response } from 'express';
import { BackendController } from './controller.js';
import { Database } from './database.js';
import { Images } from './images.js';
import { releaseOf } from './release.js';

@Module({ controllers: [BackendController], providers: [Database, Images] })
class Backend {}

/** The largest image that is taken. */
const LARGEST = '5mb';

export async function makeApp(): Promise<NestExpressApplication> {
  const app = await NestFactory.create<NestExpressApplication>(Backend, { logger: ['error', 'warn'] });
  const { release } = releaseOf(process.env);
  app.use((_: Request, response: Response, next: NextFunction) => {
    // Whoever counts answers wants to know whose they are.
    response.setHeader('x-release', release);
    next();
  });
  app.useBodyParser('raw', { type: 'image/*', limit: LARGEST });
  // nginx keeps its connections for 60 s: the side that closes an idle one first must be nginx, or a request meets a
  // closed connection.
  app.getHttpServer().keepAliveTimeout = 75_000;
  // On TERM: requests that are open end, then the process does.
  app.enableShutdownHooks();
  endConnectionsOnTerm(app.getHttpServer());
  return app;
}

/** What is answered after TERM ends its connection. nginx would keep it, and with it the process, until both are killed. */
function endConnectionsOnTerm(server: Server) {
  const open = new Set<ServerResponse>();
  let ends = false;
  // Before the application, which may answer at once.
  server.prependListener('request', (_, response: ServerResponse) => {
    // Its connection was in use when TERM came, and brings one more.
    if (ends) response.setHeader('connection', 'close');
    open.add(response);
    response.once('close', () => open.delete(response));
  });
  process.once('SIGTERM', () => {
    ends = true;
    for (const response of open) if (!response.headersSent) response.setHeader('connection', 'close');
  });
}
