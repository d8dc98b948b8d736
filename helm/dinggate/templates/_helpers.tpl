{{- define "dinggate.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 54 | trimSuffix "-" -}}
{{- end -}}

{{/* 54 characters leave room for "-headless" within the 63 of a DNS label. */}}
{{- define "dinggate.fullname" -}}
{{- $name := include "dinggate.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- $name = .Values.fullnameOverride -}}
{{- else if not (contains $name .Release.Name) -}}
{{- $name = printf "%s-%s" .Release.Name $name -}}
{{- else -}}
{{- $name = .Release.Name -}}
{{- end -}}
{{- $name | trunc 54 | trimSuffix "-" -}}
{{- end -}}

{{- define "dinggate.selectorLabels" -}}
app.kubernetes.io/name: {{ include "dinggate.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{/* The chart's own labels win: selectors rely on them. */}}
{{- define "dinggate.labels" -}}
{{- $own := dict
  "app.kubernetes.io/version" .Chart.AppVersion
  "app.kubernetes.io/managed-by" .Release.Service
  "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-")
-}}
{{- $selector := include "dinggate.selectorLabels" . | fromYaml -}}
{{- toYaml (mergeOverwrite (deepCopy .Values.commonLabels) $own $selector) -}}
{{- end -}}

{{- define "dinggate.serviceAccountName" -}}
{{- $fallback := ternary (include "dinggate.fullname" .) "default" .Values.serviceAccount.create -}}
{{- default $fallback .Values.serviceAccount.name -}}
{{- end -}}

{{- define "dinggate.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* The configuration file; the deployment carries its checksum, so that a change restarts the pods. */}}
{{- define "dinggate.configFile" -}}
{{- include "dinggate.toml" .Values.config | trim -}}
{{- end -}}

{{/* The port of a listen address of the configuration. */}}
{{- define "dinggate.port" -}}
{{- regexFind "[0-9]+$" . -}}
{{- end -}}

{{- define "dinggate.probe" -}}
grpc:
  port: {{ include "dinggate.port" .config.server.grpc_addr }}
  service: {{ .probe.service | quote }}
periodSeconds: {{ .probe.periodSeconds }}
timeoutSeconds: {{ .probe.timeoutSeconds }}
failureThreshold: {{ .probe.failureThreshold }}
{{- end -}}

{{/*
Whole seconds of a duration such as 30s or 1m30s. There is no function for it, but a date can be moved by a duration.
*/}}
{{- define "dinggate.seconds" -}}
{{- $epoch := toDate "2006-01-02T15:04:05Z07:00" "1970-01-01T00:00:00Z" -}}
{{- $epoch | mustDateModify . | unixEpoch -}}
{{- end -}}

{{/* The gateway's own defaults stand in for what the values leave out. */}}
{{- define "dinggate.drainSeconds" -}}
{{- $delay := default "5s" .Values.config.server.drain_delay -}}
{{- $timeout := default "30s" .Values.config.server.drain_timeout -}}
{{- add (include "dinggate.seconds" $delay) (include "dinggate.seconds" $timeout) -}}
{{- end -}}

{{- define "dinggate.gracePeriod" -}}
{{- if kindIs "invalid" .Values.terminationGracePeriodSeconds -}}
{{- add (include "dinggate.drainSeconds" .) 10 -}}
{{- else -}}
{{- .Values.terminationGracePeriodSeconds -}}
{{- end -}}
{{- end -}}
