//! The codes of the new face. The same trouble has another code, and another misspelling, in nearly every operation.

use crate::reference::{Complaint, Problem};
use crate::world::Refusal;

/// Of a request that does not fit the reference.
pub(super) fn of_complaint(operation: &str, complaint: &Complaint) -> &'static str {
    match complaint.problem {
        Problem::Missing => of_missing(operation, &complaint.field),
        Problem::Unknown | Problem::Wrong(_) => of_wrong(operation, &complaint.field),
    }
}

/// Of a field that must be there.
pub(super) fn of_missing(operation: &str, field: &str) -> &'static str {
    match (operation, field) {
        ("scene.get_brief" | "scene.members.list" | "scene.member.set_nick", _) => "paramBlank",
        ("assistant.message.read_status", "processQueryKey") => "invalidParameter.processQueryKey.missing",
        ("assistant.message.read_status", "robotCode") => "invalidParameter.robotCode.missing",
        ("assistant.message.read_status", "openConversationId") => "openConversationId.notExisted",
        ("topbox.close", "outTrackId") => "outTrackId.empty",
        ("topbox.create" | "topbox.close", field) => match field {
            "conversationType" => "conversationType.illegal",
            "coolAppCode" => "coolAppCode.empty",
            "openConversationId" => "openConversationId.empty",
            "robotCode" => "robotCode.empty",
            "userId" => "userIdOrUnionId.empty",
            _ => "param.empty",
        },
        ("topbox.open_v1" | "topbox.close_v1", _) => "param.empty",
        _ => of_wrong(operation, field),
    }
}

/// Of a value that cannot be.
pub(super) fn of_wrong(operation: &str, field: &str) -> &'static str {
    match (operation, field) {
        ("scene.get_brief" | "scene.members.list" | "scene.disband" | "scene.member.set_nick", _) => {
            "paramIllegal"
        }
        ("group.admins.set", "role") => "invalidParamter.role",
        ("group.admins.set", "userIds") => "invalid.staffid",
        ("scene.admins.set", "userIds") => "invalidUserIds",
        ("scene.admins.set", _) => "invalidParams",
        ("scene.members.mute.set", "muteStatus") => "invalidParameter.muteStatusError",
        ("scene.members.mute.set", "userIdList") => "invalidParameter.userIdList",
        ("scene.members.mute.set", _) => "invalidGroupParams",
        ("scene.template_robot.get", "robotCode") => "invalidParam.robotCodeEmpry",
        ("scene.template_robot.get", "openConversationId") => "invalidParam.openConversationIdEmpry",
        ("scene.template_robot.get", _) => "invalidParam",
        ("scene.mute.query", "openConversationId") => "invalidParam.openConversationIdEmpry",
        ("assistant.message.read_status", field) => match field {
            "maxResults" => "invalidParameter.pageSize.invalid",
            "nextToken" => "invalidParameter.cursor.invalid",
            "robotCode" => "invalidParameter.robotCode.invalid",
            "token" => "invalidParameter.invalid",
            _ => "invalidParameter.param.invalid",
        },
        ("topbox.create" | "topbox.close", "conversationType") => "conversationType.illegal",
        ("topbox.create" | "topbox.close", _) => "param.illegal",
        ("topbox.open_v1" | "topbox.close_v1", _) => "param.invalid",
        _ => "parameter.invalid",
    }
}

/// Of what the world refuses: the status, the code and a text. `group.create`, `group.update` and most scenario calls
/// document three codes only; a rule of the legacy twin without a documented code here is `parameter.invalid`, and an
/// unknown person has the code of scenario group creation, whose list is longer.
pub(super) fn of_refusal(operation: &str, refusal: &Refusal) -> (u16, &'static str, String) {
    let status = if *refusal == Refusal::CorpUnknown { 500 } else { 400 };
    let code = special(operation, refusal).unwrap_or_else(|| usual(operation, refusal));
    (status, code, text(refusal))
}

fn special(operation: &str, refusal: &Refusal) -> Option<&'static str> {
    use Refusal as R;
    Some(match (operation, refusal) {
        (_, R::GroupNotReady) => "group.creating",
        ("group.chatid.to_open_conversation_id", R::GroupUnknown) => "invalideChatId",
        ("scene.get_brief" | "scene.members.list", refusal) => match refusal {
            R::IdUndecodable => "cidEncryptError",
            R::GroupUnknown | R::GroupForeign | R::NoTemplate | R::GroupDisbanded => "groupPermissionDenied",
            R::TemplateForeign => "groupTemplatePermissionDenied",
            R::CoolAppUnknown => "coolAppUnexist",
            _ => return None,
        },
        ("group.admins.set", refusal) => match refusal {
            R::IdUndecodable | R::GroupUnknown => "invalidParameter.openConversationId.invalid",
            R::GroupForeign => "invalidParameter.orgId.invalid",
            R::GroupDisbanded => "group.diaband",
            R::UserUnknown(_) => "staff.not.found",
            R::UserNotInGroup | R::OwnerProtected | R::TooManyAtOnce(_) | R::NobodyNamed => "invalid.staffid",
            R::TooManyAdmins => "subadmin.exceed",
            _ => return None,
        },
        ("scene.admins.set", refusal) => match refusal {
            R::IdUndecodable => "openConversationIdDecriptFailed",
            R::GroupUnknown => "invalidOpenConversationId",
            R::GroupForeign | R::NoTemplate | R::TemplateForeign => "groupPermissionDenied",
            R::GroupDisbanded => "groupDisbang",
            R::UserUnknown(_) | R::ContactUnknown(_) => "userNotExists",
            R::UserNotInGroup => "userNotInGroup",
            R::OwnerProtected => "invalidUserId",
            R::TooManyAtOnce(_) | R::NobodyNamed => "invalidUserIds",
            R::TooManyAdmins => "subAdminNumberExcessive",
            _ => return None,
        },
        ("scene.member.set_nick", refusal) => match refusal {
            R::IdUndecodable => "openConversationIdDecriptFailed",
            R::UserUnknown(_) => "invalidUserId",
            R::UserNotInGroup => "userNotInGroup",
            R::TextForbidden => "groupNickForbid",
            R::GroupUnknown
            | R::GroupForeign
            | R::GroupDisbanded
            | R::NoTemplate
            | R::TemplateForeign
            | R::OwnerInvisible => "groupPermissionDenied",
            _ => return None,
        },
        ("scene.members.mute.set", refusal) => match refusal {
            R::IdUndecodable => "invalidParameter.openConversationIdDecError",
            R::GroupUnknown => "invalidGroupParams",
            R::GroupDisbanded | R::NoTemplate | R::TemplateForeign => {
                "invalidParameter.openConversationIdError"
            }
            R::GroupForeign => "group.org.checkFailed",
            R::UserUnknown(_) | R::ContactUnknown(_) | R::UserNotInGroup => "cannot.find.user",
            R::OwnerProtected => "cannot.ban.owner",
            R::TooManyAtOnce(_) => "invalidParameter.userIdList",
            _ => return None,
        },
        ("scene.mute.query", refusal) => match refusal {
            R::IdUndecodable => "invalidParam.openConversationIdDecryptFailed",
            R::GroupUnknown => "invalidParam.openConversationIdEmpry",
            R::GroupForeign => "group.org.checkFailed",
            _ => return None,
        },
        ("scene.template_robot.get", refusal) => match refusal {
            R::GroupUnknown | R::GroupDisbanded => "not.found",
            R::GroupForeign => "unauthorized",
            R::NoTemplate => "unavailable",
            R::TemplateForeign => "auth.failed",
            R::OwnerInvisible => "invalidParam.sceneGroupPermissionDenied",
            R::RobotUnknown | R::RobotNotInGroup => "robotNotFound",
            R::RobotDisabled => "robotDisabled",
            _ => return None,
        },
        ("topbox.create" | "topbox.close", refusal) => match refusal {
            R::IdUndecodable => "cidParse.wrong",
            R::GroupUnknown | R::GroupDisbanded => "chat.notExist",
            R::GroupForeign => "group.org.checkFailed",
            R::NoTemplate => "group.groupTemplate.notInstalled",
            R::TemplateForeign => "permission.sceneGroup.checkFailed",
            R::OwnerInvisible => "auth.failed",
            R::CoolAppUnknown => "chat.coolApp.notInstalled",
            R::UserUnknown(_) => "user.not.found",
            R::ReceiverUnknown(_) => "receiver.id.parseFailed",
            R::RobotUnknown => "robot.not.found",
            R::RobotDisabled => "robot.queryFalied",
            R::TextForbidden => "card.content.checkFailed",
            R::CardTaken => "cardInstance.wrong",
            R::TooManyCards => "open.topbox.failed",
            R::CardUnknown => "close.topbox.failed",
            _ => return None,
        },
        ("topbox.open_v1", R::IdUndecodable) => "openConversationId.decryptFailed",
        ("topbox.close_v1", R::IdUndecodable) => "cidDecryptError",
        ("topbox.open_v1", R::CardTaken | R::TooManyCards | R::GroupUnknown | R::GroupDisbanded) => {
            "openTopbox.failed"
        }
        ("topbox.close_v1", R::CardUnknown | R::GroupUnknown | R::GroupDisbanded) => "closeTopbox.failed",
        ("topbox.open_v1" | "topbox.close_v1", refusal) => match refusal {
            R::GroupForeign => "group.org.checkFailed",
            R::NoTemplate | R::TemplateForeign | R::OwnerInvisible => "topbox.auth.checkFailed",
            R::CoolAppUnknown => "coolAppNotInstalled",
            R::UserUnknown(_) | R::ReceiverUnknown(_) => "empNotFound",
            R::RobotUnknown | R::RobotDisabled => "chatbotNotFound",
            _ => return None,
        },
        ("assistant.message.read_status", refusal) => match refusal {
            R::IdUndecodable | R::GroupUnknown => "invalid.openConversationId",
            R::GroupForeign => "conversation.org.dismatch",
            R::NoTemplate | R::TemplateForeign => "unauthorized",
            R::OwnerInvisible => "auth.error",
            R::RobotUnknown => "resource.not.found",
            R::RobotNotInGroup => "invalidParameter.robotCode.notExsit",
            R::RobotDisabled => "bot.stopped",
            R::MessageUnknown => "invalid.processQueryKey",
            R::PageUnknown => "invalidParameter.cursor.invalid",
            _ => return None,
        },
        ("scene.disband", R::IdUndecodable | R::GroupUnknown) => "paramIllegal",
        ("scene.create", R::TemplateForeign) => "permession.checkFailed",
        _ => return None,
    })
}

fn usual(operation: &str, refusal: &Refusal) -> &'static str {
    use Refusal as R;
    match refusal {
        R::WrongSecret => "invalidClientIdOrSecret",
        R::CorpUnknown => "unknownError",
        R::GroupUnknown if operation.starts_with("group.") => "not.found",
        R::GroupDisbanded if operation.starts_with("group.") => "group.disbanded",
        R::UserUnknown(_) | R::ContactUnknown(_) => "member.notFound",
        R::GroupFull => "member.exceed",
        R::TemplateUnknown => "groupTemplate.notFound",
        R::TemplateNotInGrayList => "groupTemplate.permessionDenied.orgNotInGrayList",
        R::TemplateAppNotInstalled => "groupTemplate.permessionDenied.appNotInstalled",
        R::TemplateOfOtherOrganization => "groupTemplate.permessionDenied.orgNotConsistent",
        R::UuidRepeated => "uuid.repeat",
        R::OwnerInvisible
        | R::StandardNotAllowed
        | R::GroupForeign
        | R::GroupDisbanded
        | R::NoTemplate
        | R::TemplateForeign => "permession.checkFailed",
        R::Invalid(field) => of_wrong(operation, field),
        R::Missing(field) => of_missing(operation, field),
        _ => of_wrong(operation, ""),
    }
}

fn text(refusal: &Refusal) -> String {
    use Refusal as R;
    let text = match refusal {
        R::UserUnknown(id) | R::ContactUnknown(id) | R::ReceiverUnknown(id) => {
            return format!("不存在的员工: {id}");
        }
        R::AlreadyMember(id) => return format!("输入参数错误: {id} is a member already"),
        R::TooManyAtOnce(limit) => return format!("输入参数错误: more than {limit} people in one call"),
        R::AddedAndRemoved(id) | R::ContactAddedAndRemoved(id) => {
            return format!("输入参数错误: {id} is both added and removed");
        }
        R::WrongSecret => "无效的clientId或者clientSecret",
        R::CorpUnknown => "Unknown Error",
        R::GroupUnknown => "群不存在",
        R::GroupDisbanded => "群已经解散",
        R::OwnerInvisible => "群主不在应用可见性内",
        R::StandardNotAllowed | R::GroupForeign | R::TemplateForeign => "权限校验失败",
        R::GroupFull => "群成员数量超出限制",
        R::GroupNotReady => "群会话仍在创建中，请稍后重试",
        R::NoTemplate => "群未安装群模板",
        R::IdUndecodable => "会话id解析失败",
        R::TemplateUnknown => "群模板不存在或已下线",
        R::TemplateNotInGrayList => "组织不在群模板灰度名单内",
        R::TemplateAppNotInstalled => "应用未安装",
        R::TemplateOfOtherOrganization => "群模板与组织不一致",
        R::UuidRepeated => "uuid重复",
        R::CoolAppUnknown => "酷应用不存在",
        R::RobotUnknown => "机器人不存在",
        R::RobotDisabled => "机器人已停用",
        R::RobotNotInGroup => "机器人不在群中",
        R::TextForbidden => "内容不合规",
        R::PageUnknown => "nextToken不合法",
        R::OwnerNotMember => "输入参数错误: the owner is not among the members",
        R::Invalid(field) => return format!("输入参数错误: {field} is wrong"),
        R::Missing(field) => return format!("输入参数错误: {field} is missing"),
        // Only the legacy face minds.
        R::ContactsNotAllowed => "内部群不支持外部联系人",
        R::MessageUnknown => "processQueryKey不合法",
        // Only the legacy face sends messages.
        R::MessageTemplateUnknown | R::MessageNotRendered | R::VariableTwice | R::MediaUnknown => {
            "消息不合法"
        }
        R::TooManyCards => "吊顶卡片数量超出限制",
        R::CardTaken => "outTrackId重复",
        R::CardUnknown => "吊顶卡片不存在",
        R::OwnerProtected => "群主或管理员不支持该操作",
        R::TooManyAdmins => "管理员数量超出限制",
        R::UserNotInGroup => "用户不在群中",
        R::NobodyNamed => "输入参数错误: nobody is named",
    };
    text.to_owned()
}
