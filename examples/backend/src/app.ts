import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { BackendController } from './controller.js';
import { Database } from './database.js';
import { Images } from './images.js';

@Module({ controllers: [BackendController], providers: [Database, Images] })
class Backend {}

/** The largest image that is taken. */
const LARGEST = '5mb';

export async function makeApp(): Promise<NestExpressApplication> {
  const app = await NestFactory.create<NestExpressApplication>(Backend, { logger: ['error', 'warn'] });
  app.useBodyParser('raw', { type: 'image/*', limit: LARGEST });
  // nginx keeps its connections for 60 s: the side that closes an idle one first must be nginx, or a request meets a
  // closed connection.
  app.getHttpServer().keepAliveTimeout = 75_000;
  // On TERM: requests that are open end, then the process does.
  app.enableShutdownHooks();
  return app;
}
