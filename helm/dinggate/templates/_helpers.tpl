{{- define "dinggate.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 54 | trimSuffix "-" -}}
{{- end -}}

{{/* 50 characters leave room for "-test-health", the longest ending, within the 63 of a DNS label. */}}
{{- define "dinggate.fullname" -}}
{{- $name := include "dinggate.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- $name = .Values.fullnameOverride -}}
{{- else if not (contains $name .Release.Name) -}}
{{- $name = printf "%s-%s" .Release.Name $name -}}
{{- else -}}
{{- $name = .Release.Name -}}
{{- end -}}
{{- $name | trunc 50 | trimSuffix "-" -}}
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

{{/*
The metadata of an object: (dict "root" $ "suffix" "-headless" "labels" … "annotations" …), all but root optional.
A whole "name" takes the place of the release's name and suffix. A "test" is no gateway: no selector may find it.
*/}}
{{- define "dinggate.metadata" -}}
{{- $root := .root -}}
name: {{ default (printf "%s%s" (include "dinggate.fullname" $root) (default "" .suffix)) .name }}
namespace: {{ $root.Release.Namespace }}
labels:
  {{- $labels := include "dinggate.labels" $root | fromYaml }}
  {{- if .test }}{{ $_ := set $labels "app.kubernetes.io/name" (include "dinggate.name" $root | printf "%s-test") }}{{ end }}
  {{- toYaml (mergeOverwrite (deepCopy (default dict .labels)) $labels) | nindent 2 }}
{{- with mergeOverwrite (deepCopy $root.Values.commonAnnotations) (default dict .annotations) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
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

{{/* The port of a listen address of the configuration. */}}
{{- define "dinggate.port" -}}
{{- regexFind "[0-9]+$" . -}}
{{- end -}}

{{/* The port that DingTalk's pushes have to themselves, if they have one. */}}
{{- define "dinggate.callbackPort" -}}
{{- include "dinggate.port" (dig "events" "callback_addr" "" .Values.config) -}}
{{- end -}}

{{/* Not empty where the gateway's port speaks TLS. */}}
{{- define "dinggate.tls" -}}
{{- if or .Values.tls.existingSecret .Values.tls.certManager.enabled (dig "server" "tls" "cert" "" .Values.config) -}}
true
{{- end -}}
{{- end -}}

{{/* The secret with the certificate, if the chart mounts one. */}}
{{- define "dinggate.tlsSecret" -}}
{{- if .Values.tls.existingSecret -}}
{{- .Values.tls.existingSecret -}}
{{- else if .Values.tls.certManager.enabled -}}
{{- include "dinggate.fullname" . }}-tls
{{- end -}}
{{- end -}}

{{/* Not empty where callers are not asked who they are. */}}
{{- define "dinggate.open" -}}
{{- if has (default "none" .Values.config.auth.mode | toJson) (list "\"none\"" "[\"none\"]") -}}
true
{{- end -}}
{{- end -}}

{{/* Not empty where replicas share a Redis. */}}
{{- define "dinggate.shared" -}}
{{- if or .Values.redis.existingSecret (eq (dig "store" "kind" "memory" .Values.config) "redis") -}}
true
{{- end -}}
{{- end -}}

{{/* The fewest gateways that run at the same time. */}}
{{- define "dinggate.replicas" -}}
{{- ternary .Values.autoscaling.minReplicas .Values.replicas .Values.autoscaling.enabled | int -}}
{{- end -}}

{{/* How many parts are made of a budget that replicas cannot share: where they have met in a Redis, they know better. */}}
{{- define "dinggate.shares" -}}
{{- if and .Values.autoscaling.enabled (not (include "dinggate.shared" .)) -}}
{{- int .Values.autoscaling.maxReplicas -}}
{{- else -}}
{{- max 1 (int (include "dinggate.replicas" .)) -}}
{{- end -}}
{{- end -}}

{{/*
Whole seconds of a duration such as 30s or 1m30s. There is no function for it, but a date can be moved by a duration.
*/}}
{{- define "dinggate.seconds" -}}
{{- $epoch := toDate "2006-01-02T15:04:05Z07:00" "1970-01-01T00:00:00Z" -}}
{{- $epoch | mustDateModify . | unixEpoch -}}
{{- end -}}

{{/* Seconds of the sleep before SIGTERM; 0 where Kubernetes does not know it. */}}
{{- define "dinggate.preStopSeconds" -}}
{{- ternary (int .Values.preStopSleepSeconds) 0 (semverCompare ">=1.30.0-0" .Capabilities.KubeVersion.Version) -}}
{{- end -}}

{{/* The gateway's own defaults stand in for what the values leave out. */}}
{{- define "dinggate.drainSeconds" -}}
{{- $delay := default "5s" .Values.config.server.drain_delay -}}
{{- $timeout := default "30s" .Values.config.server.drain_timeout -}}
{{- add (include "dinggate.preStopSeconds" .) (include "dinggate.seconds" $delay) (include "dinggate.seconds" $timeout) -}}
{{- end -}}

{{- define "dinggate.gracePeriod" -}}
{{- if kindIs "invalid" .Values.terminationGracePeriodSeconds -}}
{{- add (include "dinggate.drainSeconds" .) 10 -}}
{{- else -}}
{{- .Values.terminationGracePeriodSeconds -}}
{{- end -}}
{{- end -}}

{{- define "dinggate.appProtocol" -}}
{{- default (ternary "https" "kubernetes.io/h2c" (not (empty (include "dinggate.tls" .)))) .Values.service.appProtocol -}}
{{- end -}}

{{/* How a ServiceMonitor or a PodMonitor scrapes. */}}
{{- define "dinggate.endpoint" -}}
port: http
path: /metrics
interval: {{ .interval }}
scrapeTimeout: {{ .scrapeTimeout }}
{{- with .relabelings }}
relabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
