import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';

/** The forms of images that are taken, by their first bytes: a name or a header can say anything. */
const FORMS: { type: string; ending: string; begins: number[] }[] = [
  { type: 'image/png', ending: 'png', begins: [0x89, 0x50, 0x4e, 0x47] },
  { type: 'image/jpeg', ending: 'jpg', begins: [0xff, 0xd8, 0xff] },
  { type: 'image/gif', ending: 'gif', begins: [0x47, 0x49, 0x46, 0x38] },
];

export function formOf(bytes: Buffer) {
  return FORMS.find(({ begins }) => begins.every((byte, at) => bytes[at] === byte));
}

/** The images bucket, if IMAGES_BUCKET names one. */
@Injectable()
export class Images {
  isThere(): boolean {
    return Boolean(process.env.IMAGES_BUCKET);
  }

  /** Keeps an image under a name that nobody can guess, and says that name. */
  async keep(bytes: Buffer, form: { type: string; ending: string }): Promise<string> {
    const key = `images/${randomUUID()}.${form.ending}`;
    const put = { Bucket: process.env.IMAGES_BUCKET, Key: key, Body: bytes, ContentType: form.type };
    await new S3Client({}).send(new PutObjectCommand(put));
    return key;
  }
}
