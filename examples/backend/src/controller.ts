import {
  Controller,
  Get,
  HttpCode,
  Inject,
  Post,
  Req,
  ServiceUnavailableException,
  UnsupportedMediaTypeException,
} from '@nestjs/common';
import type { Request } from 'express';
import { Database } from './database.js';
import { formOf, Images } from './images.js';
import { releaseOf } from './release.js';

@Controller()
export class BackendController {
  constructor(
    @Inject(Database) private readonly database: Database,
    @Inject(Images) private readonly images: Images,
  ) {}

  /** Whether this process can serve. It asks nobody else: a database that is away is no reason to replace instances. */
  @Get('healthz')
  health() {
    return { status: 'ok' };
  }

  /** Reload it while a release goes out, and watch the traffic move. */
  @Get()
  release() {
    return releaseOf(process.env);
  }

  @Get('time')
  async time() {
    if (!this.database.isThere()) throw new ServiceUnavailableException('this stack has no database');
    return { time: await this.database.time() };
  }

  @Post('images')
  @HttpCode(201)
  async image(@Req() request: Request) {
    if (!this.images.isThere()) throw new ServiceUnavailableException('this stack has no images bucket');
    const bytes: unknown = request.body;
    const form = Buffer.isBuffer(bytes) ? formOf(bytes) : undefined;
    if (!Buffer.isBuffer(bytes) || form === undefined) {
      throw new UnsupportedMediaTypeException('send a PNG, JPEG or GIF as the body');
    }
    return { image: await this.images.keep(bytes, form) };
  }
}
