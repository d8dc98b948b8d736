{{/* What the gateway's container, and the pod that tests its configuration, have in common. */}}

{{- define "dinggate.env" -}}
{{- $given := list -}}
{{- range .Values.extraEnv }}{{ $given = append $given .name }}{{ end -}}
# A budget that replicas cannot share is parted among them.
- name: DINGGATE__STORE__REPLICAS
  value: {{ include "dinggate.shares" . | quote }}
{{- if .Values.sandbox.enabled }}
- name: DINGGATE__AUTH__INSECURE_ALLOW_REMOTE
  value: "true"
{{- end }}
{{- if not (has "OTEL_RESOURCE_ATTRIBUTES" $given) }}
# Traces and metrics name the pod they come from.
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: OTEL_RESOURCE_ATTRIBUTES
  value: k8s.namespace.name={{ .Release.Namespace }},k8s.pod.name=$(POD_NAME),service.instance.id=$(POD_NAME)
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Each secret the chart mounts, by the name of its volume and folder. */}}
{{- define "dinggate.secrets" -}}
{{- $secrets := dict
  "secrets" .Values.secrets.existingSecret
  "redis" .Values.redis.existingSecret
  "tokens" .Values.auth.staticTokens.existingSecret
  "jwks" .Values.auth.jwks.existingSecret
  "callbacks" .Values.events.callbacks.existingSecret
  "tls" (include "dinggate.tlsSecret" .)
  "client-ca" .Values.tls.clientCa.existingSecret
-}}
{{- range $name, $secret := $secrets }}
{{- if $secret }}
{{ $name }}: {{ $secret }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Folders, not single files, so that the kubelet's renewals arrive; only the configuration is a single file. */}}
{{- define "dinggate.volumeMounts" -}}
{{- if not .Values.sandbox.enabled }}
- name: config
  mountPath: /etc/dinggate/dinggate.toml
  subPath: dinggate.toml
  readOnly: true
{{- end }}
{{- range $name, $_ := include "dinggate.secrets" . | fromYaml }}
- name: {{ $name }}
  mountPath: /etc/dinggate/{{ $name }}
  readOnly: true
{{- end }}
{{- if .Values.auth.kubernetes.enabled }}
- name: kubernetes
  mountPath: /etc/dinggate/kubernetes
  readOnly: true
{{- end }}
{{- if .Values.audit.volume }}
- name: audit
  mountPath: /var/log/dinggate
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "dinggate.volumes" -}}
{{- if not .Values.sandbox.enabled }}
- name: config
  configMap:
    name: {{ include "dinggate.fullname" . }}
{{- end }}
{{- range $name, $secret := include "dinggate.secrets" . | fromYaml }}
- name: {{ $name }}
  secret:
    secretName: {{ $secret }}
    defaultMode: 0440
{{- end }}
{{- if .Values.auth.kubernetes.enabled }}
- name: kubernetes
  projected:
    defaultMode: 0440
    sources:
      - serviceAccountToken:
          path: token
          expirationSeconds: {{ .Values.auth.kubernetes.expirationSeconds }}
      - configMap:
          name: kube-root-ca.crt
          items:
            - key: ca.crt
              path: ca.crt
{{- end }}
{{- with .Values.audit.volume }}
- name: audit
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* A probe: (dict "root" $ "name" "readiness" "path" "/readyz"). The kubelet's gRPC check speaks no TLS. */}}
{{- define "dinggate.probe" -}}
{{- $probe := index .root.Values.probes .name -}}
{{- if $probe.custom -}}
{{- toYaml $probe.custom -}}
{{- else -}}
{{- if include "dinggate.tls" .root -}}
httpGet:
  path: {{ .path }}
  port: http
{{- else -}}
grpc:
  port: {{ include "dinggate.port" .root.Values.config.server.grpc_addr }}
  service: {{ $probe.service | quote }}
{{- end }}
initialDelaySeconds: {{ $probe.initialDelaySeconds }}
periodSeconds: {{ $probe.periodSeconds }}
timeoutSeconds: {{ $probe.timeoutSeconds }}
failureThreshold: {{ $probe.failureThreshold }}
{{- end -}}
{{- end -}}

{{- define "dinggate.affinity" -}}
{{- if .Values.affinity -}}
{{- toYaml .Values.affinity -}}
{{- else if ne .Values.podAntiAffinity "none" -}}
{{- $labels := include "dinggate.selectorLabels" . | fromYaml -}}
{{- $term := dict "topologyKey" "kubernetes.io/hostname" "labelSelector" (dict "matchLabels" $labels) -}}
podAntiAffinity:
  {{- if eq .Values.podAntiAffinity "hard" }}
  requiredDuringSchedulingIgnoredDuringExecution:
    {{- toYaml (list $term) | nindent 4 }}
  {{- else }}
  preferredDuringSchedulingIgnoredDuringExecution:
    {{- toYaml (list (dict "weight" 100 "podAffinityTerm" $term)) | nindent 4 }}
  {{- end }}
{{- end -}}
{{- end -}}
