/** The catalogue's part of our own API. */
import type {
  CatalogueAnswer,
  PackAnswer,
  PackOverrideInput,
  PackPreviewAnswer,
  PackSavedAnswer,
} from '../../../../src/http/contract/catalogue.ts';
import type { CatalogueJob, CatalogueJobsAnswer, JobStartInput } from '../../../../src/http/contract/catalogue-jobs.ts';
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

const JOBS = `${BASE}/-/jobs`;
export const jobs = (tenant: string): Promise<CatalogueJobsAnswer> => request(tenant, JOBS);
export const job = (tenant: string, id: string): Promise<CatalogueJob> =>
  request(tenant, `${JOBS}/${encodeURIComponent(id)}`);
export const startJob = (tenant: string, input: JobStartInput): Promise<CatalogueJob> =>
  request(tenant, JOBS, { method: 'POST', json: input });
export const applyPlan = (tenant: string, plan: string): Promise<CatalogueJob> =>
  request(tenant, `${JOBS}/apply`, { method: 'POST', json: { plan } });
export const stopJob = (tenant: string, id: string): Promise<void> =>
  request(tenant, `${JOBS}/${encodeURIComponent(id)}`, { method: 'DELETE' });
