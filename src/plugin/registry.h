/*
 * plugin/registry.h
 *		Formats by name, through the table apm.formats.
 */
#ifndef PG_APM_REGISTRY_H
#define PG_APM_REGISTRY_H

#include "plugin/pg_apm_plugin.h"

/*
 * The format of this name.  Needs an SPI connection.  Raises an error with
 * the known names as hint if there is none, or if its handler's struct is
 * not one that this version understands.
 */
extern const ApmFormat *registry_format(const char *name);

#endif							/* PG_APM_REGISTRY_H */
