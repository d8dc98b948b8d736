{{/*
A map as TOML: first its plain keys, then its maps as [tables], then its lists of maps as [[tables]]; what is deeper than
such a list stands inline. Helm's own toToml is of no use here: it holds every number of a values file for a float and
writes 1024 as 1024.0.
*/}}
{{- define "dinggate.toml" -}}
{{- include "dinggate.toml.table" (dict "prefix" "" "table" .) -}}
{{- end -}}

{{- define "dinggate.toml.table" -}}
{{- $prefix := .prefix -}}
{{- $plain := dict -}}{{- $tables := dict -}}{{- $arrays := dict -}}
{{- range $key, $value := .table -}}
{{- if kindIs "map" $value -}}{{- $_ := set $tables $key $value -}}
{{- else if and (kindIs "slice" $value) $value (kindIs "map" (first $value)) -}}{{- $_ := set $arrays $key $value -}}
{{- else -}}{{- $_ := set $plain $key $value -}}
{{- end -}}
{{- end -}}
{{- include "dinggate.toml.pairs" $plain }}
{{- range $key, $table := $tables }}
{{- $path := printf "%s%s" $prefix (include "dinggate.toml.key" $key) }}
[{{ $path }}]
{{ include "dinggate.toml.table" (dict "prefix" (printf "%s." $path) "table" $table) }}
{{- end }}
{{- range $key, $array := $arrays }}
{{- range $table := $array }}
[[{{ $prefix }}{{ include "dinggate.toml.key" $key }}]]
{{ include "dinggate.toml.pairs" $table }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "dinggate.toml.pairs" -}}
{{- range $key, $value := . -}}
{{- if not (kindIs "invalid" $value) -}}
{{ include "dinggate.toml.key" $key }} = {{ include "dinggate.toml.value" $value }}
{{ end -}}
{{- end -}}
{{- end -}}

{{- define "dinggate.toml.key" -}}
{{- if regexMatch "^[A-Za-z0-9_-]+$" . }}{{ . }}{{ else }}{{ toRawJson . }}{{ end -}}
{{- end -}}

{{/* A string, bool or number of JSON is one of TOML too. */}}
{{- define "dinggate.toml.value" -}}
{{- $items := list -}}
{{- if kindIs "map" . -}}
{{- range $key, $value := . -}}
{{- if not (kindIs "invalid" $value) -}}
{{- $items = append $items (printf "%s = %s" (include "dinggate.toml.key" $key) (include "dinggate.toml.value" $value)) -}}
{{- end -}}
{{- end -}}
{ {{ join ", " $items }} }
{{- else if kindIs "slice" . -}}
{{- range . }}{{- $items = append $items (include "dinggate.toml.value" .) -}}{{- end -}}
[{{ join ", " $items }}]
{{- else if and (kindIs "float64" .) (eq . (floor .)) -}}
{{- int64 . -}}
{{- else -}}
{{- toRawJson . -}}
{{- end -}}
{{- end -}}
