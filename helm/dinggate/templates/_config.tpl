{{/*
The configuration file: the values' `config`, and the paths of what the chart mounts where it names no others. The
deployment carries its checksum, so that a change restarts the pods.
*/}}
{{- define "dinggate.configFile" -}}
{{- $server := dict -}}{{- $auth := dict -}}{{- $store := dict -}}{{- $events := dict -}}
{{- if include "dinggate.tlsSecret" . -}}
{{- $tls := dict
  "cert" (printf "/etc/dinggate/tls/%s" .Values.tls.certKey)
  "key" (printf "/etc/dinggate/tls/%s" .Values.tls.privateKeyKey)
-}}
{{- if .Values.tls.clientCa.existingSecret -}}
{{- $_ := set $tls "client_ca" (printf "/etc/dinggate/client-ca/%s" .Values.tls.clientCa.key) -}}
{{- end -}}
{{- $_ := set $server "tls" $tls -}}
{{- end -}}
{{- if .Values.auth.staticTokens.existingSecret -}}
{{- $_ := set $auth "static" (dict "tokens_file" (printf "/etc/dinggate/tokens/%s" .Values.auth.staticTokens.key)) -}}
{{- end -}}
{{- if .Values.redis.existingSecret -}}
{{- $_ := set $store "kind" "redis" -}}
{{- $_ := set $store "url_file" (printf "/etc/dinggate/redis/%s" .Values.redis.urlKey) -}}
{{- with .Values.redis.caKey -}}
{{- $_ := set $store "ca_file" (printf "/etc/dinggate/redis/%s" .) -}}
{{- end -}}
{{- end -}}
{{- if .Values.events.callbacks.existingSecret -}}
{{- $callback := dict -}}
{{- range $alias, $_ := dig "events" "callback" dict .Values.config -}}
{{- $file := printf "/etc/dinggate/callbacks/%s" $alias -}}
{{- $_ := set $callback $alias (dict "token_file" (printf "%s-token" $file) "aes_key_file" (printf "%s-aes-key" $file)) -}}
{{- end -}}
{{- $_ := set $events "callback" $callback -}}
{{- end -}}
{{- $derived := dict -}}
{{- range $section, $content := dict "server" $server "auth" $auth "store" $store "events" $events -}}
{{- if $content -}}{{- $_ := set $derived $section $content -}}{{- end -}}
{{- end -}}
{{- include "dinggate.toml" (merge (deepCopy .Values.config) $derived) | trim -}}
{{- end -}}
