/** The catalogue's part of our own API. */
import type {
  CatalogueAnswer,
  PackAnswer,
  PackOverrideInput,
  PackPreviewAnswer,
  PackSavedAnswer,
} from '../../../../src/http/contract/catalogue.ts';
import { request } from '../../api/client.ts';

const BASE = '/vigie/v1/catalogue';
const at = (pack: string): string => `${BASE}/${encodeURIComponent(pack)}`;

export const packs = (tenant: string): Promise<CatalogueAnswer> => request(tenant, BASE);
export const pack = (tenant: string, name: string): Promise<PackAnswer> => request(tenant, at(name));
export const previewPack = (
  tenant: string,
  name: string,
  override: PackOverrideInput,
  signal?: AbortSignal,
): Promise<PackPreviewAnswer> => request(tenant, `${at(name)}/preview`, { method: 'POST', json: override, signal });
export const savePack = (
  tenant: string,
  name: string,
  override: PackOverrideInput,
  expectVersion: number,
): Promise<PackSavedAnswer> => request(tenant, at(name), { method: 'PUT', json: { override, expectVersion } });
export const resetPack = (tenant: string, name: string): Promise<void> =>
  request(tenant, at(name), { method: 'DELETE' });
